//! Places in what an author has written.

/// A file that steps come from: the scenario, or a design with its parameters filled in.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct DocId(pub(super) usize);

impl DocId {
    pub(super) const FILE: DocId = DocId(0);
}

/// Where the compiler stands in a file.
#[derive(Clone, Debug)]
pub(super) struct Here {
    pub(super) doc: DocId,
    pub(super) path: String,
}

impl Here {
    pub(super) fn file(path: impl Into<String>) -> Here {
        Here { doc: DocId::FILE, path: path.into() }
    }

    pub(super) fn field(&self, name: &str) -> Here {
        Here { doc: self.doc, path: format!("{}.{name}", self.path) }
    }

    pub(super) fn at(&self, index: usize) -> Here {
        Here { doc: self.doc, path: format!("{}[{index}]", self.path) }
    }
}
