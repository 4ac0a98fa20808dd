//! `#[derive(Options)]`: a struct that is filled from an option map, key by key.

use crate::attributes::doc;
use proc_macro2::TokenStream;
use quote::quote;
use syn::spanned::Spanned;
use syn::{Data, DeriveInput, Field, Fields, LitStr};

pub fn expand(item: DeriveInput) -> syn::Result<TokenStream> {
    let ty = &item.ident;
    let type_name = ty.to_string();
    let Data::Struct(data) = &item.data else {
        return Err(syn::Error::new(item.span(), "options are a struct"));
    };
    let Fields::Named(fields) = &data.fields else {
        return Err(syn::Error::new(item.span(), "options are a struct with named fields"));
    };
    let (mut docs, mut arms, mut nested) = (Vec::new(), Vec::new(), Vec::new());
    for field in &fields.named {
        let Some(ident) = &field.ident else { continue };
        let ty = &field.ty;
        let attribute = OptionAttribute::of(field)?;
        if attribute.flatten {
            docs.push(quote!(docs.extend(<#ty as crate::script::binding::Options>::docs());));
            nested.push(quote! {
                let Some(value) = <#ty as crate::script::binding::Options>::set(&mut self.#ident, key, value)? else {
                    return Ok(None);
                };
            });
            continue;
        }
        let name = attribute.name.unwrap_or_else(|| ident.to_string().trim_start_matches("r#").to_owned());
        let aliases = &attribute.aliases;
        let text = doc(&field.attrs);
        docs.push(quote! {
            docs.push(crate::script::binding::OptionDoc {
                name: #name,
                aliases: &[#(#aliases),*],
                type_name: <#ty as crate::script::binding::FromScript>::type_name,
                doc: #text,
                options: <#ty as crate::script::binding::FromScript>::options,
            });
        });
        arms.push(quote! {
            #name #(| #aliases)* => self.#ident = crate::script::binding::option_value::<#ty>(key, value)?,
        });
    }
    Ok(quote! {
        impl crate::script::binding::Options for #ty {
            fn docs() -> Vec<crate::script::binding::OptionDoc> {
                let mut docs = Vec::new();
                #(#docs)*
                docs
            }
            fn set(
                &mut self,
                key: &str,
                value: rhai::Dynamic,
            ) -> Result<Option<rhai::Dynamic>, crate::script::binding::Refusal> {
                #(#nested)*
                match key {
                    #(#arms)*
                    _ => return Ok(Some(value)),
                }
                #[allow(unreachable_code)]
                Ok(None)
            }
        }

        impl crate::script::binding::FromScript for #ty {
            const OPTIONAL: bool = true;
            fn type_name() -> String {
                #type_name.to_owned()
            }
            fn accepts(value: &rhai::Dynamic) -> bool {
                value.is_map()
            }
            fn from_script(value: rhai::Dynamic) -> Result<Self, crate::script::binding::Refusal> {
                crate::script::binding::options_from_map(value)
            }
            fn absent() -> Option<Self> {
                Some(Self::default())
            }
            fn options() -> Vec<crate::script::binding::OptionDoc> {
                <Self as crate::script::binding::Options>::docs()
            }
        }
    })
}

#[derive(Default)]
struct OptionAttribute {
    name: Option<String>,
    aliases: Vec<String>,
    flatten: bool,
}

impl OptionAttribute {
    fn of(field: &Field) -> syn::Result<Self> {
        let mut options = Self::default();
        for attribute in field.attrs.iter().filter(|attribute| attribute.path().is_ident("option")) {
            attribute.parse_nested_meta(|meta| {
                if meta.path.is_ident("alias") {
                    options.aliases.push(meta.value()?.parse::<LitStr>()?.value());
                } else if meta.path.is_ident("name") {
                    options.name = Some(meta.value()?.parse::<LitStr>()?.value());
                } else if meta.path.is_ident("flatten") {
                    options.flatten = true;
                } else {
                    return Err(meta.error("expected `alias`, `name` or `flatten`"));
                }
                Ok(())
            })?;
        }
        Ok(options)
    }
}
