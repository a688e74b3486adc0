//! What a batch is aimed at, durable before it is sent: a run that died between a write that was disturbed and its repair
//! is mended from it.

use serde::{Deserialize, Deserializer, Serialize, Serializer};

use super::{
    apply::{Unconfirmed, Writes},
    sheet_frame::Frame,
    sheet_layout::Layout,
    sheet_ops::Ops,
    sheet_picture::Picture,
    sheet_plan::SheetPlan,
};
use crate::{
    error::{Error, Result},
    store::Store,
};

/// Where it is kept what the batches of a run are aimed at.
#[derive(Clone, Debug)]
pub(crate) struct Notes {
    /// The store.
    pub(crate) store: Store,
    /// The run.
    pub(crate) run: String,
    /// The batch's number in the journal.
    pub(crate) seq: u32,
}

impl Notes {
    /// Keeps what the batch is aimed at; what was kept for this run before is replaced.
    pub(crate) async fn keep(&self, aim: &Aim<'_>) -> Result<()> {
        self.store.keep_aim(&self.run, self.seq, aim).await
    }
}

impl Notes {
    /// Keeps what is left out of the batch, right before it is committed.
    pub(crate) async fn leave_out(
        &self,
        writes: &Writes<'_>,
        unconfirmed: &[Unconfirmed],
    ) -> Result<()> {
        if unconfirmed.is_empty() {
            return Ok(());
        }
        let left_out = super::apply::left_out(writes, unconfirmed);
        self.store.leave_out(&self.run, self.seq, &left_out).await
    }
}

/// The sheet as it was seen before a batch, and what the batch does to it.
#[derive(Serialize)]
pub(crate) struct Aim<'a> {
    sheet: i32,
    title: &'a str,
    header_row: u32,
    labels: Vec<&'a str>,
    frame: Option<&'a Frame>,
    anchored: bool,
    ops: &'a Ops,
    picture: &'a Picture,
}

impl<'a> Aim<'a> {
    /// Returns what a round is aimed at.
    pub(crate) fn of(plan: &'a SheetPlan, ops: &'a Ops, anchored: bool) -> Self {
        Self {
            sheet: plan.sheet,
            title: &plan.title,
            header_row: plan.layout.header_row,
            labels: plan.layout.labels().collect(),
            frame: plan.layout.frame.as_ref(),
            anchored,
            ops,
            picture: &plan.picture,
        }
    }
}

/// An [`Aim`] that was kept.
#[derive(Debug, Deserialize)]
pub(crate) struct Kept {
    pub(crate) sheet: i32,
    pub(crate) title: String,
    header_row: u32,
    labels: Vec<String>,
    #[serde(default)]
    frame: Option<Frame>,
    /// Whether the rows were anchored.
    pub(crate) anchored: bool,
    pub(crate) ops: Ops,
    pub(crate) picture: Picture,
}

impl Kept {
    /// Reads what was kept.
    pub(crate) fn read(body: &[u8]) -> Result<Self> {
        serde_json::from_slice(body).map_err(|error| {
            Error::internal("what a batch was aimed at cannot be read").with_source(error)
        })
    }

    /// Returns the columns as they were.
    pub(crate) fn layout(&self, writes: &Writes<'_>) -> Layout {
        let mut layout = Layout::default();
        layout.header_row = self.header_row;
        for (column, label) in (0_u32..).zip(&self.labels) {
            layout.name(column, label.as_str().into());
        }
        layout.find_keys(writes);
        layout.frame.clone_from(&self.frame);
        layout
    }
}

/// Writes of cells, stored as what the cells are after them.
pub(crate) mod writes {
    use lockstep_google::CellWrite;

    use super::{Deserialize, Deserializer, Serialize, Serializer};
    use crate::replica::sheet_picture::Seen;

    pub(crate) fn serialize<S: Serializer>(
        cells: &[CellWrite],
        serializer: S,
    ) -> Result<S::Ok, S::Error> {
        cells.iter().map(Seen::after).collect::<Vec<_>>().serialize(serializer)
    }

    pub(crate) fn deserialize<'de, D: Deserializer<'de>>(
        deserializer: D,
    ) -> Result<Vec<CellWrite>, D::Error> {
        Ok(Vec::<Seen>::deserialize(deserializer)?.iter().map(Seen::write).collect())
    }
}

/// The same, each with its column.
pub(crate) mod placed {
    use lockstep_google::CellWrite;

    use super::{Deserialize, Deserializer, Serialize, Serializer};
    use crate::replica::sheet_picture::Seen;

    pub(crate) fn serialize<S: Serializer>(
        cells: &[(u32, CellWrite)],
        serializer: S,
    ) -> Result<S::Ok, S::Error> {
        let cells = cells.iter().map(|(column, write)| (column, Seen::after(write)));
        cells.collect::<Vec<_>>().serialize(serializer)
    }

    pub(crate) fn deserialize<'de, D: Deserializer<'de>>(
        deserializer: D,
    ) -> Result<Vec<(u32, CellWrite)>, D::Error> {
        let cells = Vec::<(u32, Seen)>::deserialize(deserializer)?;
        Ok(cells.into_iter().map(|(column, cell)| (column, cell.write())).collect())
    }
}
