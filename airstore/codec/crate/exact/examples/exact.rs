//! Records a gzip file and rebuilds it, and says what that cost: `exact FILE...`
/// Seconds that this thread has computed.
fn cpu() -> f64 {
    let stat = std::fs::read_to_string("/proc/thread-self/schedstat").expect("Linux");
    stat.split(" ").next().and_then(|ns| ns.parse::<f64>().ok()).expect("a number") / 1e9
}

fn main() {
    for name in std::env::args().skip(1) {
        let gzip = std::fs::read(&name).expect("readable");
        let (mut plain, mut side, mut back) = (Vec::new(), Vec::new(), Vec::with_capacity(gzip.len()));
        let begin = cpu();
        let report = match exact::record(&gzip[..], &mut plain, &mut side) {
            Ok(done) => done,
            Err(fault) => {
                println!("{name}: {fault}");
                continue;
            }
        };
        let recorded = cpu() - begin;
        let begin = cpu();
        let result = exact::rebuild(&plain[..], &side[..], &mut back);
        let rebuilt = cpu() - begin;
        let mb = plain.len() as f64 / 1e6;
        println!(
            "{name}: {}: plain {} gzip {} side {} = {:.4} %; record {:.0} MB/s, rebuild {:.0} MB/s: {}",
            report.name(),
            plain.len(),
            gzip.len(),
            side.len(),
            side.len() as f64 * 100.0 / gzip.len() as f64,
            mb / recorded,
            mb / rebuilt,
            if result.is_ok() && back == gzip { "exact".into() } else { format!("WRONG {:?}", result.err()) },
        );
    }
}
