"""Reads a folder that package track wrote, by the tracker's own code, and prints what that found as JSON.

    python read_back.py tensorboard|wandb|mlflow|trackio FOLDER WORK

WORK is an empty folder for what the tracker writes itself. The output maps SWEEP/RUN to the status, the config, the
final values and the curves, each a list of [step, value].
"""

import gzip
import http.server
import json
import os
import pathlib
import subprocess
import sys
import threading


def new_run():
    return {"status": "", "config": {}, "final": {}, "curve": {}}


def put(run, name, step, value):
    group, _, column = name.partition("/")
    if group == "final":
        run["final"][column] = value
    elif group == "curve":
        run["curve"].setdefault(column, []).append([step, value])


def tensorboard(folder, work):
    from tensorboard.backend.event_processing import data_provider, event_accumulator
    from tensorboard.backend.event_processing import plugin_event_multiplexer
    from tensorboard.context import RequestContext
    from tensorboard.plugins import base_plugin
    from tensorboard.plugins.hparams import api_pb2, backend_context, get_experiment, list_session_groups

    runs = {}
    for path in sorted(folder.glob("*/*")):
        events = event_accumulator.EventAccumulator(str(path), size_guidance={event_accumulator.SCALARS: 0})
        events.Reload()
        run = runs[f"{path.parent.name}/{path.name}"] = new_run()
        for tag in events.Tags()["scalars"]:
            for e in events.Scalars(tag):
                assert e.wall_time == e.step
                put(run, tag, e.step, e.value)

    # What the tab HPARAMS shows.
    multiplexer = plugin_event_multiplexer.EventMultiplexer().AddRunsFromDirectory(str(folder))
    multiplexer.Reload()
    context = backend_context.Context(
        base_plugin.TBContext(data_provider=data_provider.MultiplexerDataProvider(multiplexer, str(folder)))
    )
    request = RequestContext()
    found = context.hparams_from_data_provider(request, "", limit=1000)
    meta = context.hparams_metadata(request, "") if hasattr(context, "hparams_metadata") else None
    experiment = get_experiment.Handler(
        request, context, "", api_pb2.GetExperimentRequest(include_metrics=True, hparams_limit=0)
    ).run()
    assert [i.name for i in experiment.hparam_infos], "no settings in the tab HPARAMS"
    assert "final/nmse" in [i.name.tag for i in experiment.metric_infos]
    groups = list_session_groups.Handler(
        request,
        context,
        "",
        api_pb2.ListSessionGroupsRequest(
            slice_size=100000,
            include_metrics=True,
            allowed_statuses=[api_pb2.STATUS_SUCCESS, api_pb2.STATUS_FAILURE, api_pb2.STATUS_UNKNOWN],
            col_params=[{"metric": i.name} for i in experiment.metric_infos],
        ),
    ).run()
    assert groups.total_size == len(runs), (groups.total_size, len(runs))
    for group in groups.session_groups:
        session = group.sessions[0]
        run = runs[session.name]
        run["status"] = {1: "FINISHED", 2: "FAILED"}[session.status]
        for name, value in group.hparams.items():
            run["config"][name] = getattr(value, value.WhichOneof("kind"))
        for value in session.metric_values:
            if value.name.tag.startswith("final/"):
                assert run["final"][value.name.tag[len("final/") :]] == value.value
    return runs


def wandb(folder, work):
    """wandb sync with a server of our own, which keeps what it is sent."""
    runs, names, lock = {}, {}, threading.Lock()

    class Server(http.server.BaseHTTPRequestHandler):
        def log_message(self, *_):
            pass

        def do_GET(self):
            self.answer({})

        def answer(self, body):
            b = json.dumps(body).encode()
            self.send_response(200)
            self.send_header("Content-Type", "application/json")
            self.send_header("Content-Length", str(len(b)))
            self.end_headers()
            self.wfile.write(b)

        def do_POST(self):
            body = self.rfile.read(int(self.headers.get("Content-Length") or 0))
            if self.headers.get("Content-Encoding") == "gzip":
                body = gzip.decompress(body)
            body = json.loads(body)
            with lock:
                self.answer(graphql(body) if self.path.endswith("/graphql") else self.stream(body))

        def stream(self, body):
            run_id = self.path.split("/")[-2]
            run = runs[names[run_id]]
            files = body.get("files") or {}
            for line in files.get("wandb-history.jsonl", {}).get("content", []):
                row = json.loads(line)
                for name, value in row.items():
                    put(run, name, row["_step"], value)
            for line in files.get("wandb-summary.json", {}).get("content", []):
                for name, value in json.loads(line).items():
                    if name.startswith("final/"):
                        put(run, name, 0, value)
            if body.get("complete"):
                run["status"] = "FAILED" if body["exitcode"] else "FINISHED"
            return {}

    def graphql(body):
        v = body.get("variables") or {}
        if "upsertBucket" in body["query"]:
            run_id, project = v["name"], v["project"]
            if v.get("displayName"):
                names[run_id] = f"{project}/{v['displayName']}"
            run = runs.setdefault(names[run_id], new_run())
            run["config"] = {k: c["value"] for k, c in json.loads(v["config"]).items() if k != "_wandb"}
            entity = {"id": "e", "name": "me"}
            bucket = {
                "id": run_id, "name": run_id, "displayName": v.get("displayName"), "description": "", "config": "{}",
                "sweepName": None, "historyLineCount": 0, "project": {"id": "p", "name": project, "entity": entity},
            }
            return {"data": {"upsertBucket": {"bucket": bucket, "inserted": True}}}
        if "viewer" in body["query"]:
            return {"data": {"viewer": {"id": "v", "entity": "me", "username": "me", "flags": "{}", "teams": {"edges": []}}}}
        return {"data": {"serverInfo": {"features": [], "cliVersionInfo": {}}}}

    server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Server)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    env = dict(
        os.environ, WANDB_BASE_URL=f"http://127.0.0.1:{server.server_port}", WANDB_API_KEY="0" * 40, HOME=str(work),
        WANDB_ERROR_REPORTING="false", WANDB_DIR=str(work), WANDB_CACHE_DIR=str(work), WANDB_CONFIG_DIR=str(work),
    )
    done = subprocess.run(
        [sys.executable, "-m", "wandb", "sync", str(folder)], env=env, capture_output=True, text=True, cwd=work
    )
    print(done.stdout, done.stderr, file=sys.stderr)
    assert done.returncode == 0, done.returncode
    return runs


def mlflow(folder, work):
    """mlflow migrate-filestore, and the client on the database that this makes."""
    os.environ.update(MLFLOW_DISABLE_TELEMETRY="true", DO_NOT_TRACK="true", MLFLOW_ALLOW_FILE_STORE="true")
    os.chdir(work)
    database = f"sqlite:///{work / 'mlflow.db'}"
    subprocess.run(
        [sys.executable, "-m", "mlflow", "migrate-filestore", "--source", str(folder), "--target", database],
        check=True, stdout=sys.stderr,
    )
    from mlflow.tracking import MlflowClient

    found = []
    for uri in (database, (folder / "mlruns").as_uri()):
        runs = {}
        client = MlflowClient(tracking_uri=uri)
        for experiment in client.search_experiments():
            for r in client.search_runs([experiment.experiment_id], max_results=10000):
                if experiment.name == "Default":
                    raise AssertionError("a run in no sweep's experiment")
                run = runs[f"{experiment.name}/{r.info.run_name}"] = new_run()
                run["status"] = r.info.status
                run["config"] = dict(r.data.params)
                if "error" in r.data.tags:
                    run["config"]["error"] = r.data.tags["error"]
                for name in r.data.metrics:
                    for m in client.get_metric_history(r.info.run_id, name):
                        assert m.timestamp == 1000 * m.step
                        put(run, name, m.step, m.value)
        found.append(runs)
    assert found[0] == found[1], "the database and the file store differ"
    return found[0]


def trackio(folder, work):
    """import.py, twice, and the API of trackio; then trackio.import_csv of each file."""
    os.environ.update(TRACKIO_DIR=str(work / "all"), HF_HUB_OFFLINE="1")
    for _ in range(2):
        subprocess.run([sys.executable, str(folder / "import.py")], check=True, stdout=sys.stderr, cwd=work)
    import trackio as package
    from trackio.sqlite_storage import SQLiteStorage

    runs = {}
    for entry in json.loads((folder / "runs.json").read_text()):
        project, name = entry["project"], entry["name"]
        run = runs[f"{project}/{name}"] = new_run()
        run["status"] = "FINISHED"
        run["config"] = {k: v for k, v in SQLiteStorage.get_run_config(project, name).items() if k[0] != "_"}
        for row in SQLiteStorage.get_logs(project, name):
            for key, value in row.items():
                put(run, key, row["step"], value)
                if key == "failed" and value == 1:
                    run["status"] = "FAILED"
    for project in {entry["project"] for entry in json.loads((folder / "runs.json").read_text())}:
        assert {f"{project}/{r.name}" for r in package.Api().runs(project)} == {
            k for k in runs if k.startswith(project + "/")
        }
    for i, path in enumerate(sorted(folder.glob("*/*.csv"))):
        stdout, sys.stdout = sys.stdout, sys.stderr
        package.import_csv(path, project=f"csv-{i}", name="one")
        sys.stdout = stdout
        assert len(SQLiteStorage.get_logs(f"csv-{i}", "one")) == len(path.read_text().splitlines()) - 1
    return runs


if __name__ == "__main__":
    target, folder, work = sys.argv[1], pathlib.Path(sys.argv[2]).resolve(), pathlib.Path(sys.argv[3]).resolve()
    json.dump(globals()[target](folder, work), sys.stdout)
