// What users of @googleapis/sheets and @googleapis/drive do, done to the embedded workspace.
//
// usage: workspace_googleapis.mjs ROOT FILE   (what was answered is written to FILE, for discovery.py)
// Takes the packages from LOCKSTEP_NODE_MODULES.
import assert from "node:assert/strict";
import { appendFileSync } from "node:fs";
import { createRequire } from "node:module";
import { join } from "node:path";
import { Readable } from "node:stream";

const require = createRequire(join(process.env.LOCKSTEP_NODE_MODULES, "lockstep.js"));
const [rootUrl, file] = process.argv.slice(2);

/** Fetches, and writes down what came back. */
async function watched(url, options) {
  const answer = await fetch(url, { ...options, signal: AbortSignal.timeout(60_000) });
  const body = await answer.clone().text();
  const type = answer.headers.get("content-type") ?? "";
  const seen = { method: options.method ?? "GET", url: String(url), status: answer.status, type, body };
  appendFileSync(file, `${JSON.stringify(seen)}\n`);
  return answer;
}

const options = { rootUrl, fetchImplementation: watched, retry: false };
const sheets = require("@googleapis/sheets").sheets({ version: "v4", ...options }).spreadsheets;
const drive = require("@googleapis/drive").drive({ version: "v3", ...options });

const SHEET = "application/vnd.google-apps.spreadsheet";
const FOLDER = "application/vnd.google-apps.folder";

async function fresh(title) {
  const { data } = await sheets.create({ requestBody: { properties: { title } } });
  const spreadsheetId = data.spreadsheetId;
  await sheets.values.update({
    spreadsheetId,
    range: "Sheet1!A1",
    valueInputOption: "RAW",
    requestBody: { values: [["key", "n", "ok"], ["a", 1, true], ["007", 2.5, false]] },
  });
  return spreadsheetId;
}

async function values(spreadsheetId, range) {
  const { data } = await sheets.values.get({ spreadsheetId, range, valueRenderOption: "UNFORMATTED_VALUE" });
  return data.values;
}

async function refused(call, status, text) {
  await assert.rejects(call, (error) => {
    assert.equal(error.status ?? Number(error.code), status);
    assert.match(error.message, text);
    return true;
  });
}

const checks = {
  async "create, write and read"() {
    const spreadsheetId = await fresh("node values");
    assert.deepEqual(await values(spreadsheetId, "A1:C3"), [["key", "n", "ok"], ["a", 1, true], ["007", 2.5, false]]);
    const { data } = await sheets.values.batchGet({ spreadsheetId, ranges: ["A1:A2", "B2:C2"] });
    assert.deepEqual(data.valueRanges.map((each) => each.values), [[["key"], ["a"]], [["1", "TRUE"]]]);
    await sheets.values.append({
      spreadsheetId, range: "Sheet1", valueInputOption: "USER_ENTERED", requestBody: { values: [["b", "=1+2", "TRUE"]] },
    });
    assert.deepEqual(await values(spreadsheetId, "A4:C4"), [["b", 3, true]]);
    await sheets.values.clear({ spreadsheetId, range: "A4:C4" });
    assert.equal(await values(spreadsheetId, "A4:C4"), undefined);
  },

  async "format, metadata and batch"() {
    const spreadsheetId = await fresh("node batch");
    const { data } = await sheets.batchUpdate({
      spreadsheetId,
      requestBody: {
        requests: [
          { repeatCell: {
            range: { sheetId: 0, startRowIndex: 1, startColumnIndex: 1, endColumnIndex: 2 },
            cell: { userEnteredFormat: { numberFormat: { type: "NUMBER", pattern: "0.00" } } },
            fields: "userEnteredFormat.numberFormat",
          } },
          { createDeveloperMetadata: { developerMetadata: {
            metadataId: 99, metadataKey: "suite", metadataValue: "node", visibility: "DOCUMENT", location: { sheetId: 0 },
          } } },
          { addSheet: { properties: { title: "Second", gridProperties: { rowCount: 3, columnCount: 2 } } } },
        ],
        includeSpreadsheetInResponse: true,
      },
    });
    assert.equal(data.replies.length, 3);
    assert.deepEqual(data.updatedSpreadsheet.sheets.map((each) => each.properties.title), ["Sheet1", "Second"]);
    const shown = await sheets.values.get({ spreadsheetId, range: "B2:B3" });
    assert.deepEqual(shown.data.values, [["1.00"], ["2.50"]]);
    const found = await sheets.developerMetadata.search({
      spreadsheetId, requestBody: { dataFilters: [{ developerMetadataLookup: { metadataKey: "suite" } }] },
    });
    assert.equal(found.data.matchedDeveloperMetadata[0].developerMetadata.metadataValue, "node");
    const masked = await sheets.get({ spreadsheetId, fields: "sheets(properties(title))" });
    assert.deepEqual(masked.data, { sheets: [{ properties: { title: "Sheet1" } }, { properties: { title: "Second" } }] });
  },

  async "files, folders, lists and exports"() {
    const folder = (await drive.files.create({ requestBody: { name: "Node folder", mimeType: FOLDER }, fields: "id" })).data.id;
    const made = await drive.files.create({ requestBody: { name: "Node sheet", mimeType: SHEET, parents: [folder] } });
    const listed = await drive.files.list({ q: `'${folder}' in parents`, fields: "files(id,name,mimeType)" });
    assert.deepEqual(listed.data.files, [{ id: made.data.id, name: "Node sheet", mimeType: SHEET }]);
    // The library overlooks the client's own rootUrl where it uploads; the call's is heard.
    const notes = {
      requestBody: { name: "notes.txt", parents: [folder] },
      media: { mimeType: "text/plain", body: Readable.from(["plain ", "tëxt"]) },
      fields: "id,size",
    };
    const upload = await drive.files.create(notes, { rootUrl });
    assert.equal(upload.data.size, "11");
    const media = await drive.files.get({ fileId: upload.data.id, alt: "media" }, { responseType: "text" });
    assert.equal(media.data, "plain tëxt");
    const csv = await drive.files.export({ fileId: await fresh("node export"), mimeType: "text/csv" }, { responseType: "text" });
    assert.equal(csv.data, "key,n,ok\r\na,1,TRUE\r\n007,2.5,FALSE");
    await drive.files.update({ fileId: made.data.id, requestBody: { trashed: true } });
    await drive.files.delete({ fileId: made.data.id });
    await refused(drive.files.get({ fileId: made.data.id }), 404, /File not found/);
  },

  async "errors"() {
    const spreadsheetId = await fresh("node errors");
    await refused(sheets.values.get({ spreadsheetId, range: "Nope!A1" }), 400, /Unable to parse range: Nope!A1/);
    await refused(sheets.get({ spreadsheetId: "nowhere" }), 404, /Requested entity was not found/);
    await refused(
      sheets.batchUpdate({ spreadsheetId, requestBody: { requests: [{ deleteSheet: { sheetId: 5 } }] } }),
      400,
      /requests\[0\]\.deleteSheet/,
    );
    assert.deepEqual(await values(spreadsheetId, "A1"), [["key"]]);
  },
};

let failed = 0;
for (const [name, check] of Object.entries(checks)) {
  try {
    await check();
    console.log(`ok ${name}`);
  } catch (error) {
    failed += 1;
    console.log(`FAILED ${name}\n${error.stack}\n${error.cause ?? ""}`);
  }
}
process.exit(failed ? 1 : 0);
