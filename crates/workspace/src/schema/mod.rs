//! The message types of the Sheets API: which fields there are and of which type.
