//! A finished figure: a document of its own, or a part of a page with others.

use super::backend::escape;
use super::canvas::WIDTH;
use super::ink;

/// What the figures of a page have in common, in CSS, and what their patterns are called after.
const CLASS: &str = "chart";

/// A figure, drawn.
pub struct Picture {
    /// The id of its element, as a document of its own.
    pub(super) id: String,
    pub(super) title: String,
    pub(super) description: String,
    pub(super) height: f64,
    pub(super) body: String,
}

impl Picture {
    /// A complete SVG document with its own style.
    pub fn document(&self) -> String {
        let id = &self.id;
        let opening = self.opening(id, "xmlns=\"http://www.w3.org/2000/svg\" ", "");
        format!("{opening}{}{}</svg>\n", ink::style(&format!("#{id}"), id), self.body)
    }

    /// An element of a page that has [`style`], under an id of the page.
    pub fn inline(&self, id: &str) -> String {
        let class = format!("class=\"{CLASS}\" ");
        format!("{}{}</svg>\n", self.opening(id, "", &class), self.body)
    }

    fn opening(&self, id: &str, namespace: &str, class: &str) -> String {
        let height = self.height;
        format!(
            "<svg {namespace}id=\"{id}\" {class}role=\"img\" \
             aria-labelledby=\"{id}-title {id}-desc\" width=\"{WIDTH}\" height=\"{height}\" \
             viewBox=\"0 0 {WIDTH} {height}\" \
             font-family=\"system-ui,'Segoe UI','Helvetica Neue','DejaVu Sans',sans-serif\">\n\
             <title id=\"{id}-title\">{}</title>\n<desc id=\"{id}-desc\">{}</desc>\n",
            escape(&self.title),
            escape(&self.description)
        )
    }
}

/// The style and the patterns of all figures of a page: an element that takes no room.
pub fn style() -> String {
    let style = ink::style(&format!(".{CLASS}"), CLASS);
    format!(
        "<svg class=\"{CLASS}\" width=\"0\" height=\"0\" style=\"position:absolute\" \
         aria-hidden=\"true\">\n{style}</svg>\n"
    )
}
