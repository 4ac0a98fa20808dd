//! `#[api]`: an entry in the catalogue for each function, with a body that converts its arguments.

use crate::attributes::{ApiAttribute, doc, take};
use proc_macro2::TokenStream;
use quote::{format_ident, quote};
use syn::spanned::Spanned;
use syn::{FnArg, ImplItem, Item, ItemFn, ItemImpl, Pat, ReturnType, Signature, Type, Visibility};

pub fn expand(attribute: &ApiAttribute, item: Item) -> syn::Result<TokenStream> {
    match item {
        Item::Impl(item) => expand_impl(item),
        Item::Fn(item) => expand_fn(attribute, &item),
        other => Err(syn::Error::new(other.span(), "`#[api]` goes on an `impl` block or a function")),
    }
}

fn expand_impl(mut item: ItemImpl) -> syn::Result<TokenStream> {
    let ty = item.self_ty.clone();
    let mut entries = Vec::new();
    for member in &mut item.items {
        let ImplItem::Fn(function) = member else { continue };
        if !matches!(function.vis, Visibility::Public(_)) || function.sig.receiver().is_none() {
            continue;
        }
        let getter = Getter::take(&mut function.attrs)?;
        let parameters = Parameters::of(&function.sig)?;
        let name = script_name(&function.sig);
        let method = &function.sig.ident;
        let (conversions, arguments) = (&parameters.conversions, &parameters.arguments);
        entries.push(entry(&Entry {
            module: None,
            receiver: Some(&ty),
            name: &name,
            getter: getter.as_ref(),
            order: entries.len(),
            doc: &doc(&function.attrs),
            signature: &function.sig,
            parameters: &parameters.docs,
            body: quote! {
                #(#conversions)*
                args.finish()?;
                let this = crate::script::binding::receiver::<#ty>(this)?;
                crate::script::binding::IntoScript::into_script(this.#method(#(#arguments),*))
            },
        }));
    }
    Ok(quote!(#item #(#entries)*))
}

fn expand_fn(attribute: &ApiAttribute, item: &ItemFn) -> syn::Result<TokenStream> {
    let mut parameters = Parameters::of(&item.sig)?;
    let name = attribute.name.clone().unwrap_or_else(|| script_name(&item.sig));
    let function = &item.sig.ident;
    let (mut receiver, mut first) = (None, None);
    if attribute.get {
        let Some(ty) = parameters.types.first().cloned() else {
            return Err(syn::Error::new(item.sig.span(), "a property needs a parameter: the value it belongs to"));
        };
        parameters.docs.remove(0);
        parameters.conversions.remove(0);
        first = Some(quote!(let p0 = crate::script::binding::receiver::<#ty>(this)?;));
        receiver = Some(ty);
    }
    let getter = attribute.get.then(Getter::default);
    let (conversions, arguments) = (&parameters.conversions, &parameters.arguments);
    let entry = entry(&Entry {
        module: attribute.module.as_deref(),
        receiver: receiver.as_ref(),
        name: &name,
        getter: getter.as_ref(),
        order: 0,
        doc: &doc(&item.attrs),
        signature: &item.sig,
        parameters: &parameters.docs,
        body: quote! {
            #first
            #(#conversions)*
            args.finish()?;
            crate::script::binding::IntoScript::into_script(self::#function(#(#arguments),*))
        },
    });
    Ok(quote!(#item #entry))
}

/// What `#[get(…)]` says about a property.
#[derive(Default)]
struct Getter {
    column: bool,
    lazy: bool,
    callable: bool,
    shown: Option<syn::Path>,
}

impl Getter {
    fn take(attributes: &mut Vec<syn::Attribute>) -> syn::Result<Option<Self>> {
        let Some(attribute) = take(attributes, "get") else { return Ok(None) };
        let mut getter = Self::default();
        if matches!(attribute.meta, syn::Meta::List(_)) {
            attribute.parse_nested_meta(|meta| {
                if meta.path.is_ident("column") {
                    getter.column = true;
                } else if meta.path.is_ident("lazy") {
                    getter.lazy = true;
                } else if meta.path.is_ident("callable") {
                    getter.callable = true;
                } else if meta.path.is_ident("shown") {
                    getter.shown = Some(meta.value()?.parse()?);
                } else {
                    return Err(meta.error("expected `column`, `lazy`, `callable` or `shown`"));
                }
                Ok(())
            })?;
        }
        Ok(Some(getter))
    }
}

/// The parameters that a script gives; a `&Call` is passed on by us.
struct Parameters {
    types: Vec<Type>,
    docs: Vec<TokenStream>,
    conversions: Vec<TokenStream>,
    arguments: Vec<TokenStream>,
}

impl Parameters {
    fn of(signature: &Signature) -> syn::Result<Self> {
        let mut all = Self { types: vec![], docs: vec![], conversions: vec![], arguments: vec![] };
        for input in &signature.inputs {
            let FnArg::Typed(input) = input else { continue };
            let ty = &*input.ty;
            if is_call(ty) {
                all.arguments.push(quote!(call));
                continue;
            }
            let Pat::Ident(name) = &*input.pat else {
                return Err(syn::Error::new(input.pat.span(), "a parameter of a script function needs a name"));
            };
            let name = name.ident.to_string();
            let name = name.trim_start_matches('_');
            let variable = format_ident!("p{}", all.types.len());
            all.docs.push(quote! {
                crate::script::binding::ParameterDoc {
                    name: #name,
                    type_name: <#ty as crate::script::binding::FromScript>::type_name,
                    optional: <#ty as crate::script::binding::FromScript>::OPTIONAL,
                    options: <#ty as crate::script::binding::FromScript>::options,
                }
            });
            all.conversions.push(quote!(let #variable = args.take::<#ty>(#name)?;));
            all.arguments.push(quote!(#variable));
            all.types.push(ty.clone());
        }
        Ok(all)
    }
}

/// Whether it is `&Call`, with or without its lifetime.
fn is_call(ty: &Type) -> bool {
    let Type::Reference(reference) = ty else { return false };
    let Type::Path(path) = &*reference.elem else { return false };
    path.path.segments.last().is_some_and(|segment| segment.ident == "Call")
}

fn script_name(signature: &Signature) -> String {
    signature.ident.to_string().trim_start_matches("r#").to_owned()
}

struct Entry<'a> {
    module: Option<&'a str>,
    receiver: Option<&'a Type>,
    name: &'a str,
    getter: Option<&'a Getter>,
    order: usize,
    doc: &'a TokenStream,
    signature: &'a Signature,
    parameters: &'a [TokenStream],
    body: TokenStream,
}

fn entry(entry: &Entry<'_>) -> TokenStream {
    let Entry { name, order, doc, parameters, body, .. } = entry;
    let module = entry.module.map_or_else(|| quote!(None), |module| quote!(Some(#module)));
    let receiver = entry.receiver.map_or_else(
        || quote!(None),
        |ty| {
            quote! {
                Some(crate::script::binding::Receiver {
                    type_id: std::any::TypeId::of::<#ty>,
                    type_name: <#ty as crate::script::binding::FromScript>::type_name,
                })
            }
        },
    );
    let kind = match entry.getter {
        Some(Getter { column, lazy, callable, .. }) => {
            quote! {
                crate::script::binding::Kind::Property { column: #column, lazy: #lazy, callable: #callable }
            }
        }
        None if entry.receiver.is_some() => quote!(crate::script::binding::Kind::Method),
        None => quote!(crate::script::binding::Kind::Function),
    };
    let shown = entry.getter.and_then(|getter| getter.shown.as_ref());
    let shown = shown.map_or_else(|| quote!(None), |path| quote!(Some(#path)));
    let returns = match &entry.signature.output {
        ReturnType::Default => quote!(()),
        ReturnType::Type(_, ty) => quote!(#ty),
    };
    quote! {
        #[allow(unsafe_code, unused_mut)] // linkme places the static in a named section, which counts as unsafe
        const _: () = {
            #[linkme::distributed_slice(crate::script::binding::FUNCTIONS)]
            static ENTRY: crate::script::binding::FunctionDoc = crate::script::binding::FunctionDoc {
                module: #module,
                receiver: #receiver,
                name: #name,
                kind: #kind,
                order: #order,
                shown: #shown,
                doc: #doc,
                parameters: &[#(#parameters),*],
                returns: <#returns as crate::script::binding::IntoScript>::type_name,
                body: |call, this, mut args| {
                    let _ = (call, &this);
                    #body
                },
            };
        };
    }
}
