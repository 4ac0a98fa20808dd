//! Debian's `docker-registry` on a free loopback port, with its own storage.

use super::image::{Image, digest};
use crate::support::fixtures::{Missing, program};
use crate::support::wait::wait_for;
use reqwest::header::{CONTENT_TYPE, LOCATION};
use shanty::context::CancelToken;
use shanty::sys::async_runtime::block_on;
use std::fmt::Write;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::Duration;
use tempfile::TempDir;

/// A running registry; stopped and removed when dropped.
pub struct Registry {
    process: Child,
    /// Its configuration and storage, which go with it.
    folder: TempDir,
    port: u16,
}

/// A certificate for `localhost` and the authority that signed it.
pub struct Certificate {
    folder: TempDir,
}

impl Registry {
    /// One that anybody may read and write, without TLS.
    pub fn start() -> Result<Self, Missing> {
        Self::launch(|_| String::new())
    }

    /// One that wants the user `shanty` with the password `secret`.
    pub fn start_with_login() -> Result<Self, Missing> {
        Self::launch(|folder| {
            let file = folder.join("htpasswd");
            // bcrypt of `secret`, the only kind of hash that the registry takes.
            fs::write(&file, "shanty:$2y$05$abcdefghijklmnopqrstuuOQiyCxlgf/oeuTqixKmWdcYUh4Hjl0a\n").unwrap();
            format!("auth: {{htpasswd: {{realm: test, path: {}}}}}\n", file.display())
        })
    }

    /// One that speaks TLS only.
    pub fn start_with_tls(certificate: &Certificate) -> Result<Self, Missing> {
        let (file, key) = (certificate.path("server.pem"), certificate.path("server.key"));
        Self::launch(|_| format!("  tls: {{certificate: {}, key: {}}}\n", file.display(), key.display()))
    }

    /// One that shows the certificate of the authority itself: what `openssl req -x509` makes.
    pub fn start_with_authority(certificate: &Certificate) -> Result<Self, Missing> {
        let (file, key) = (certificate.path("ca.pem"), certificate.path("ca.key"));
        Self::launch(|_| format!("  tls: {{certificate: {}, key: {}}}\n", file.display(), key.display()))
    }

    /// One that speaks TLS with those only who show a certificate of the same authority.
    pub fn start_for_clients_of(certificate: &Certificate) -> Result<Self, Missing> {
        let [file, key, authority] = ["server.pem", "server.key", "ca.pem"].map(|name| certificate.path(name));
        Self::launch(|_| {
            let (file, key, authority) = (file.display(), key.display(), authority.display());
            format!("  tls: {{certificate: {file}, key: {key}, clientcas: [{authority}]}}\n")
        })
    }

    /// What `more` gives goes behind the `http` section of the configuration.
    fn launch(more: impl FnOnce(&Path) -> String) -> Result<Self, Missing> {
        let program = program("docker-registry")?;
        let folder = tempfile::tempdir().unwrap();
        let more = more(folder.path());
        let storage = folder.path().join("storage");
        let config = format!(
            "version: 0.1\nlog: {{level: info}}\nstorage: {{filesystem: {{rootdirectory: {}}}}}\n\
             http:\n  addr: 127.0.0.1:0\n{more}",
            storage.display()
        );
        fs::write(folder.path().join("config.yml"), config).unwrap();
        let log = folder.path().join("log");
        let process = Command::new(program)
            .arg("serve")
            .arg(folder.path().join("config.yml"))
            .env("OTEL_TRACES_EXPORTER", "none")
            .stdin(Stdio::null())
            .stdout(Stdio::null())
            .stderr(fs::File::create(&log).unwrap())
            .spawn()
            .unwrap();
        let mut registry = Self { process, folder, port: 0 };
        registry.port = wait_for(Duration::from_secs(30), || {
            let text = fs::read_to_string(&log).unwrap();
            assert!(registry.process.try_wait().unwrap().is_none(), "docker-registry ended: {text}");
            let (_, address) = text.split_once("listening on 127.0.0.1:")?;
            let (port, _) = address.split_once(|c: char| !c.is_ascii_digit())?;
            port.parse().ok()
        });
        Ok(registry)
    }

    /// The requests so far, as `GET /v2/app/blobs/sha256:…`, in the order of their answers.
    pub fn requests(&self) -> Vec<String> {
        let text = fs::read_to_string(self.folder.path().join("log")).unwrap();
        let field = |line: &str, name: &str| {
            let (_, rest) = line.split_once(&format!("http.request.{name}="))?;
            let rest = rest.trim_start_matches('"');
            Some(rest.split(['"', ' ']).next().unwrap_or_default().to_owned())
        };
        let lines = text.lines().filter(|line| line.contains("msg=\"response completed\""));
        lines.filter_map(|line| Some(format!("{} {}", field(line, "method")?, field(line, "uri")?))).collect()
    }

    /// Host and port, as a reference starts: `127.0.0.1:41234`.
    pub fn host(&self) -> String {
        format!("127.0.0.1:{}", self.port)
    }

    /// The port that it listens on.
    pub fn port(&self) -> u16 {
        self.port
    }

    /// `127.0.0.1:41234/app:v1` for `app:v1`.
    pub fn name(&self, image: &str) -> String {
        format!("{}/{image}", self.host())
    }

    /// Puts an image there, as `repository:tag`.
    pub fn push(&self, name: &str, image: &Image) {
        let (repository, tag) = name.split_once(':').unwrap();
        block_on(&CancelToken::new(), async {
            for blob in image.blobs() {
                self.push_blob(repository, blob).await;
            }
            self.put_manifest(repository, tag, image.media_type, &image.manifest).await;
            Ok(())
        })
        .unwrap();
    }

    /// Puts a manifest or an index there; what it names has to be there already.
    pub fn push_manifest(&self, name: &str, media_type: &str, bytes: &[u8]) {
        let (repository, tag) = name.split_once(':').unwrap();
        block_on(&CancelToken::new(), async {
            self.put_manifest(repository, tag, media_type, bytes).await;
            Ok(())
        })
        .unwrap();
    }

    /// Copies from where skopeo reads, such as [`crate::support::fixture_image`], to `repository:tag`.
    pub fn copy(&self, source: &str, name: &str) -> Result<(), Missing> {
        let output = Command::new(program("skopeo")?)
            .args(["--insecure-policy", "copy", "--quiet", "--all", "--preserve-digests", "--dest-tls-verify=false"])
            .args([source, &format!("docker://{}", self.name(name))])
            .output()
            .unwrap();
        assert!(output.status.success(), "skopeo copy: {}", String::from_utf8_lossy(&output.stderr));
        Ok(())
    }

    async fn push_blob(&self, repository: &str, bytes: &[u8]) {
        let url = format!("http://{}/v2/{repository}/blobs/uploads/", self.host());
        let started = client().post(url).send().await.unwrap();
        let mut location = started.headers()[LOCATION].to_str().unwrap().to_owned();
        write!(location, "{}digest={}", if location.contains('?') { '&' } else { '?' }, digest(bytes)).unwrap();
        let done = client().put(location).body(bytes.to_vec()).send().await.unwrap();
        assert!(done.status().is_success(), "{}", done.status());
    }

    async fn put_manifest(&self, repository: &str, tag: &str, media_type: &str, bytes: &[u8]) {
        let url = format!("http://{}/v2/{repository}/manifests/{tag}", self.host());
        let done = client().put(url).header(CONTENT_TYPE, media_type).body(bytes.to_vec()).send().await.unwrap();
        assert!(done.status().is_success(), "{}: {}", done.status(), done.text().await.unwrap());
    }
}

impl Drop for Registry {
    fn drop(&mut self) {
        let _ = self.process.kill();
        let _ = self.process.wait();
    }
}

fn client() -> reqwest::Client {
    reqwest::Client::builder().no_proxy().tls_certs_only([]).build().unwrap()
}

impl Certificate {
    /// Makes an authority and a certificate with openssl.
    pub fn make() -> Result<Self, Missing> {
        let openssl = program("openssl")?;
        let folder = tempfile::tempdir().unwrap();
        let script = "set -e
            \"$0\" req -x509 -newkey ec -pkeyopt ec_paramgen_curve:P-256 -nodes -days 2 -subj /CN=authority \
                -keyout ca.key -out ca.pem -addext basicConstraints=critical,CA:TRUE
            \"$0\" req -newkey ec -pkeyopt ec_paramgen_curve:P-256 -nodes -subj /CN=localhost \
                -keyout server.key -out server.csr
            printf 'subjectAltName=DNS:localhost,DNS:registry.test,IP:127.0.0.1\\nbasicConstraints=CA:FALSE\\n' > extensions
            \"$0\" x509 -req -in server.csr -CA ca.pem -CAkey ca.key -CAcreateserial -days 2 \
                -extfile extensions -out server.pem
            \"$0\" req -newkey ec -pkeyopt ec_paramgen_curve:P-256 -nodes -subj /CN=somebody \
                -keyout client.key -out client.csr
            \"$0\" x509 -req -in client.csr -CA ca.pem -CAkey ca.key -CAcreateserial -days 2 \
                -extfile extensions -out client.pem";
        let output = Command::new("sh").arg("-c").arg(script).arg(openssl).current_dir(folder.path()).output().unwrap();
        assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
        Ok(Self { folder })
    }

    /// The authority's certificate, for `SSL_CERT_FILE`.
    pub fn authority(&self) -> PathBuf {
        self.path("ca.pem")
    }

    /// `ca.pem`, `client.pem`, `client.key`, …
    pub fn path(&self, name: &str) -> PathBuf {
        Path::new(self.folder.path()).join(name)
    }
}
