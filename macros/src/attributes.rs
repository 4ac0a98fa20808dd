//! Reading doc comments and the attributes of our macros.

use proc_macro2::TokenStream;
use quote::quote;
use syn::parse::{Parse, ParseStream};
use syn::{Attribute, Expr, ExprLit, Ident, Lit, LitStr, Meta, Token};

/// What stands in `#[api(…)]`.
#[derive(Default)]
pub struct ApiAttribute {
    pub module: Option<String>,
    pub name: Option<String>,
    pub get: bool,
}

impl Parse for ApiAttribute {
    fn parse(input: ParseStream<'_>) -> syn::Result<Self> {
        let mut attribute = Self::default();
        while !input.is_empty() {
            let key: Ident = input.parse()?;
            match key.to_string().as_str() {
                "module" => attribute.module = Some(value(input)?),
                "name" => attribute.name = Some(value(input)?),
                "get" => attribute.get = true,
                _ => return Err(syn::Error::new(key.span(), "expected `module`, `name` or `get`")),
            }
            if !input.is_empty() {
                input.parse::<Token![,]>()?;
            }
        }
        Ok(attribute)
    }
}

fn value(input: ParseStream<'_>) -> syn::Result<String> {
    input.parse::<Token![=]>()?;
    Ok(input.parse::<LitStr>()?.value())
}

/// The doc comment as the expression of one text, the space after `///` removed.
pub fn doc(attributes: &[Attribute]) -> TokenStream {
    let mut parts = Vec::new();
    for attribute in attributes {
        let Meta::NameValue(pair) = &attribute.meta else { continue };
        if !pair.path.is_ident("doc") {
            continue;
        }
        if !parts.is_empty() {
            parts.push(quote!("\n"));
        }
        parts.push(match &pair.value {
            Expr::Lit(ExprLit { lit: Lit::Str(text), .. }) => {
                let text = text.value();
                let text = text.strip_prefix(' ').unwrap_or(&text);
                quote!(#text)
            }
            // `#[doc = concat!(…)]` of a declarative macro.
            other => quote!(#other),
        });
    }
    quote!(concat!(#(#parts),*))
}

/// Takes an attribute of this name away and gives it.
pub fn take(attributes: &mut Vec<Attribute>, name: &str) -> Option<Attribute> {
    let index = attributes.iter().position(|attribute| attribute.path().is_ident(name))?;
    Some(attributes.remove(index))
}
