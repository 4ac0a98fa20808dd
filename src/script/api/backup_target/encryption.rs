//! Encryption in the format of age (age-encryption.org/v1), which the `age` program reads as well.

use super::{Destination, TargetOptions};
use crate::error::{Error, ErrorKind, IoContext, Result};
use crate::script::api::values::absolute;
use crate::script::binding::Call;
use age::secrecy::SecretString;
use age::stream::StreamWriter;
use age::{Decryptor, Encryptor, Identity, Recipient, scrypt, x25519};
use std::fs;
use std::io::{self, Read, Write};

/// What every secret key begins with.
const SECRET_KEY: &str = "AGE-SECRET-KEY-1";
/// What every encrypted file begins with.
const MAGIC: &[u8] = b"age-encryption.org/v1";

/// The destination, behind encryption where the options ask for it.
pub fn encrypted(destination: Box<dyn Destination>, options: &TargetOptions) -> Result<Box<dyn Destination>> {
    let recipients: Vec<x25519::Recipient> =
        options.recipients.0.iter().map(|text| recipient(text)).collect::<Result<_>>()?;
    let encryptor = match (&options.passphrase, recipients.is_empty()) {
        (None, true) => return Ok(destination),
        (Some(_), false) => {
            return Err(Error::invalid("`passphrase` and `recipients` exclude each other")
                .hint("age encrypts for keys or with a passphrase"));
        }
        (Some(passphrase), true) if passphrase.is_empty() => return Err(Error::invalid("the passphrase is empty")),
        (Some(passphrase), true) => Encryptor::with_user_passphrase(SecretString::from(passphrase.clone())),
        (None, false) => Encryptor::with_recipients(recipients.iter().map(|recipient| recipient as &dyn Recipient))
            .map_err(|error| Error::invalid(format!("cannot encrypt: {error}")))?,
    };
    let writer = encryptor.wrap_output(destination).doing(|| "cannot encrypt")?;
    Ok(Box::new(Encrypted(writer)))
}

fn recipient(text: &str) -> Result<x25519::Recipient> {
    if text.starts_with(SECRET_KEY) {
        return Err(Error::invalid("a secret key is no recipient").hint("`recipients` takes public keys: `age1…`"));
    }
    text.parse().map_err(|why: &str| {
        Error::invalid(format!("`{text}` is no recipient: {why}"))
            .hint("`age-keygen` makes a key, and prints its `age1…`")
    })
}

struct Encrypted(StreamWriter<Box<dyn Destination>>);

impl Write for Encrypted {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.0.write(bytes)
    }

    fn flush(&mut self) -> io::Result<()> {
        self.0.flush()
    }
}

impl Destination for Encrypted {
    fn commit(self: Box<Self>) -> Result<()> {
        // The last chunk says that it is the last: what was cut short is known by it.
        self.0.finish().doing(|| "cannot encrypt")?.commit()
    }
}

/// The source, behind decryption when it is encrypted; `name` is what it is called in errors.
pub fn decrypted(
    call: &Call,
    mut source: Box<dyn Read + Send>,
    name: &str,
    options: &TargetOptions,
) -> Result<Box<dyn Read + Send>> {
    let mut start = Vec::new();
    source.by_ref().take(MAGIC.len() as u64).read_to_end(&mut start).doing(|| format!("cannot read `{name}`"))?;
    let encrypted = start == MAGIC;
    let source: Box<dyn Read + Send> = Box::new(io::Cursor::new(start).chain(source));
    if !encrypted {
        return Ok(source);
    }
    let identities = identities(call, options)?;
    if identities.is_empty() {
        return Err(unauthorized(format!("`{name}` is encrypted")));
    }
    let wrong = |error: age::DecryptError| unauthorized(format!("cannot decrypt `{name}`: {error}"));
    let decryptor = Decryptor::new(source).map_err(wrong)?;
    let identities = identities.iter().map(|identity| &**identity as &dyn Identity);
    Ok(Box::new(decryptor.decrypt(identities).map_err(wrong)?))
}

fn identities(call: &Call, options: &TargetOptions) -> Result<Vec<Box<dyn Identity>>> {
    let mut identities: Vec<Box<dyn Identity>> = Vec::new();
    if let Some(passphrase) = &options.passphrase {
        identities.push(Box::new(scrypt::Identity::new(SecretString::from(passphrase.clone()))));
    }
    for identity in &options.identity.0 {
        let text = if identity.starts_with(SECRET_KEY) {
            identity.clone()
        } else {
            let path = absolute(call.session().folder(), identity);
            fs::read_to_string(&path).doing(|| format!("cannot read the identity `{}`", path.display()))?
        };
        for line in text.lines().map(str::trim).filter(|line| !line.is_empty() && !line.starts_with('#')) {
            let key: x25519::Identity =
                line.parse().map_err(|why: &str| Error::invalid(format!("the identity is no key of age: {why}")))?;
            identities.push(Box::new(key));
        }
    }
    Ok(identities)
}

fn unauthorized(message: String) -> Error {
    Error::new(ErrorKind::Unauthorized, message)
        .hint("give the `identity` or the `passphrase` that it was encrypted for")
}
