def test_doctor_lists_components_with_what_to_do(edgewright):
    out = edgewright("doctor").out
    assert out.splitlines()[0].split() == ["component", "status", "version", "what", "to", "do"]
    checks = {check["name"]: check for check in edgewright("doctor", "--json").json()}
    assert checks["torch"]["status"] == "ok"
    assert checks["torch"]["version"]
    assert {"python", "onnxruntime", "ai-edge-litert", "jinja2", "NVIDIA GPU"} <= checks.keys()
