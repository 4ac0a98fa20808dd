//! `images()`.

use super::Image;
use crate::error::Result;
use crate::model::ImageFilter;
use crate::script::api::values::Labels;
use crate::script::binding::{Call, Options, api};

/// Options of `images`.
#[derive(Default, Options)]
pub struct ImagesOptions {
    /// Repository, `*` stands for anything.
    pub name: Option<String>,
    /// Labels that must be there: `"key"`, `"key=value"`, or several.
    #[option(alias = "labels")]
    pub label: Labels,
    /// Only those without (`true`) or with (`false`) a name.
    pub dangling: Option<bool>,
    /// Only those built before this image.
    pub before: Option<String>,
    /// Only those built after this image.
    pub since: Option<String>,
}

/// The images that are here, newest first.
///
/// # Example (engine)
/// for i in images(#{ dangling: true }) { i.remove() }
///
/// # Errors
/// `not_found` when `before` or `since` names no image.
#[api]
pub fn images(call: &Call, options: ImagesOptions) -> Result<Vec<Image>> {
    let (engine, cx) = (call.engine()?, call.context());
    let built = |reference: &Option<String>| match reference {
        Some(reference) => engine.image(&cx, reference).map(|info| info.created),
        None => Ok(None),
    };
    let (before, since) = (built(&options.before)?, built(&options.since)?);
    let filter = ImageFilter { name: options.name, labels: options.label.0, dangling: options.dangling };
    let found = engine.images(&cx, &filter)?.into_iter().filter(|info| {
        before.is_none_or(|before| info.created.is_some_and(|built| built < before))
            && since.is_none_or(|since| info.created.is_some_and(|built| built > since))
    });
    Ok(found.map(|info| Image::of(&info)).collect())
}
