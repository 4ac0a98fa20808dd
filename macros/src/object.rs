//! `#[derive(Object)]`: a Rust type that scripts hold.

use crate::attributes::doc;
use proc_macro2::TokenStream;
use quote::quote;
use syn::{DeriveInput, LitStr, Path};

pub fn expand(item: &DeriveInput) -> syn::Result<TokenStream> {
    let ty = &item.ident;
    let doc = doc(&item.attrs);
    let mut name = ty.to_string();
    let (mut snapshot, mut text) = (None, None);
    for attribute in item.attrs.iter().filter(|attribute| attribute.path().is_ident("object")) {
        attribute.parse_nested_meta(|meta| {
            if meta.path.is_ident("name") {
                name = meta.value()?.parse::<LitStr>()?.value();
            } else if meta.path.is_ident("snapshot") {
                snapshot = Some(meta.value()?.parse::<Path>()?);
            } else if meta.path.is_ident("text") {
                text = Some(meta.value()?.parse::<Path>()?);
            } else {
                return Err(meta.error("expected `name`, `snapshot` or `text`"));
            }
            Ok(())
        })?;
    }
    let snapshot = snapshot.map(|path| {
        quote! {
            fn snapshot(&self, call: &crate::script::binding::Call<'_>) -> crate::error::Result<Self> {
                #path(self, call)
            }
        }
    });
    let text = text.map(|path| {
        quote! {
            fn text(&self, call: &crate::script::binding::Call<'_>) -> Option<String> {
                Some(#path(self, call))
            }
        }
    });
    Ok(quote! {
        impl crate::script::binding::Object for #ty {
            const NAME: &'static str = #name;
            #snapshot
            #text
        }

        impl crate::script::binding::FromScript for #ty {
            fn type_name() -> String {
                #name.to_owned()
            }
            fn accepts(value: &rhai::Dynamic) -> bool {
                value.read_lock::<Self>().is_some()
            }
            fn from_script(value: rhai::Dynamic) -> Result<Self, crate::script::binding::Refusal> {
                crate::script::binding::object_from_script(value)
            }
        }

        impl crate::script::binding::IntoScript for #ty {
            fn type_name() -> String {
                #name.to_owned()
            }
            fn into_script(self) -> crate::error::Result<rhai::Dynamic> {
                Ok(rhai::Dynamic::from(self))
            }
        }

        #[allow(unsafe_code)] // placing a static in a named section counts as unsafe: linkme does it
        const _: () = {
            #[linkme::distributed_slice(crate::script::binding::TYPES)]
            static ENTRY: crate::script::binding::TypeDoc = crate::script::binding::TypeDoc::of::<#ty>(#doc);
        };
    })
}
