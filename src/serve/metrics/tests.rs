use super::*;

#[test]
fn without_a_control_database_the_process_tells_of_itself() {
    let text = text(None, &Counted::default()).expect("it is written");
    assert!(text.contains("barncat_control_up 0"), "{text}");
    assert!(text.contains("barncat_process_open_fds "), "{text}");
    assert!(text.ends_with("# EOF\n"), "{text}");
}

#[test]
fn a_name_stays_within_its_label() {
    let mut registry = Registry::default();
    let gauges = gauge(&mut registry, "one", &["task"], "One");
    gauges.set(["a\"} 1\nevil 2\\"], 1.0);
    let mut text = String::new();
    encode(&mut text, &registry).expect("it is written");
    assert_eq!(text, "# HELP one One.\n# TYPE one gauge\none{task=\"a\\\"} 1\\nevil 2\\\\\"} 1.0\n# EOF\n");
}
