//! As in a pod: variables and files as the kubelet gives them, and TLS.

use std::{
    fs,
    io::{BufRead as _, BufReader},
    process::{Child, Command, Stdio},
};

use tempfile::TempDir;

use super::{
    api::Mood,
    child::Running,
    live::{addresses, api, lab, stop, until},
    objects::{NODE, pod},
};

/// Gives a process the files of a service account, which nobody else sees, and starts the sensor.
const INSIDE: &str = "mount -t tmpfs none /var/run && mkdir -p /var/run/secrets/kubernetes.io \
    && cp -r \"$1\" /var/run/secrets/kubernetes.io/serviceaccount && exec \"$0\" attach -i wan0 --kubernetes --node-name \"$2\"";

/// A program that ends with the test.
struct Program(Child);

impl Drop for Program {
    fn drop(&mut self) {
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

/// A certificate for 127.0.0.1, its key, and what else a service account has; none without openssl.
fn account() -> Option<TempDir> {
    let folder = TempDir::new().unwrap();
    let mut openssl = Command::new("openssl");
    openssl.current_dir(folder.path()).args(["req", "-x509", "-newkey", "rsa:2048", "-nodes", "-days", "2"]);
    openssl.args(["-keyout", "key.pem", "-out", "cert.pem", "-subj", "/CN=kube-apiserver"]);
    openssl.args(["-addext", "subjectAltName=IP:127.0.0.1", "-addext", "basicConstraints=critical,CA:FALSE"]);
    if !openssl.stderr(Stdio::null()).status().is_ok_and(|status| status.success()) {
        eprintln!("SKIPPED: no openssl to make a certificate with");
        return None;
    }
    fs::copy(folder.path().join("cert.pem"), folder.path().join("ca.crt")).unwrap();
    fs::write(folder.path().join("token"), "secret").unwrap();
    fs::write(folder.path().join("namespace"), "sensor").unwrap();
    Some(folder)
}

#[test]
fn a_sealed_pod_speaks_tls_with_its_service_account() {
    let Some(lab) = lab() else { return };
    let Some(account) = account() else { return };
    let netns = lab.server().netns();
    let api = api(&lab, Mood::Fine);
    let [_, server] = addresses(&lab);
    api.put("pods", pod("web-0", "u1", &server));
    let mut proxy = Command::new("python3");
    proxy.args(["-c", include_str!("tls.py")]).arg(account.path()).arg(api.address.port().to_string());
    let Ok(proxy) = netns.enter(|| proxy.stdout(Stdio::piped()).spawn()).unwrap() else {
        return eprintln!("SKIPPED: no python3 to speak TLS with");
    };
    let mut proxy = Program(proxy);
    let mut port = String::new();
    BufReader::new(proxy.0.stdout.take().unwrap()).read_line(&mut port).unwrap();
    let mut command = Command::new("unshare");
    command.args(["--mount", "sh", "-c", INSIDE, env!("CARGO_BIN_EXE_sensor")]).arg(account.path()).arg(NODE);
    command.env("KUBERNETES_SERVICE_HOST", "127.0.0.1").env("KUBERNETES_SERVICE_PORT", port.trim());
    let running = Running::start(netns, {
        command.stdout(Stdio::piped());
        command
    });
    running.stderr.wait_for("watching ");
    until(&lab, &running, "(shop/web-0)");
    assert!(!running.stderr.text().contains("Kubernetes"), "{}", running.stderr.text());
    assert!(!running.stderr.text().contains("going on without"), "{}", running.stderr.text());
    assert!(api.tokens().iter().all(|token| token == "Bearer secret"), "{:?}", api.tokens());
    stop(running);
}
