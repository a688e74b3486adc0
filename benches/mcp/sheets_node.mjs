// Lets the npm server mcp-gsheets use another root than Google's, without an account: node --import sheets_node.mjs …
// with SHEETS_ROOT set; the packages are those beside the server, PEER_MODULES.
import { createRequire } from "node:module";
import { join } from "node:path";

const require = createRequire(join(process.env.PEER_MODULES, "launcher.js"));
const { google } = require("googleapis");
const sheets = google.sheets.bind(google);
google.sheets = ({ version }) => sheets({ version, rootUrl: process.env.SHEETS_ROOT });
