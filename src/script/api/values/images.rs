//! Images that may be given by their references.

use super::{each, items};
use crate::script::api::image::Image;
use crate::script::binding::{FromScript, Refusal};
use rhai::Dynamic;

/// `"a"`, an `Image`, or an array of such.
#[derive(Clone)]
pub struct Images(pub Vec<Image>);

const TAKES: &str = "string, Image or array of such";

impl FromScript for Images {
    fn type_name() -> String {
        TAKES.to_owned()
    }

    fn accepts(value: &Dynamic) -> bool {
        value.is_string() || value.is_array() || Image::accepts(value)
    }

    fn from_script(value: Dynamic) -> Result<Self, Refusal> {
        each(
            items(value),
            |item| {
                if item.is_string() { Ok(Image::new(item.to_string())) } else { Image::from_script(item) }
            },
        )
        .map(Self)
    }
}
