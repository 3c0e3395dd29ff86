// The built binary: a service of a project, and commands beside it.
import { execFileSync, spawn } from "node:child_process";
import { once } from "node:events";
import { createInterface } from "node:readline";

/** A variable that scripts/browser-test.sh sets. */
export function set(name) {
  const value = process.env[name];
  if (!value) throw new Error(`${name} is not set: scripts/browser-test.sh starts this test`);
  return value;
}

const started = new Set();

/** What was started and still goes on is ended: a test that failed waits for nobody. */
export function end() {
  for (const child of started) if (child.exitCode === null) child.kill("SIGKILL");
}

/** Starts a command of barncat upon a project; `ended` is its exit status, `said` all that it wrote. */
export function barncat(project, args, variables = {}) {
  const child = spawn(set("BARNCAT"), [...args, "--project", project], {
    env: { ...process.env, ...variables },
    stdio: ["ignore", "pipe", "pipe"],
  });
  started.add(child);
  const command = { said: "", child };
  for (const stream of [child.stdout, child.stderr]) stream.on("data", (text) => { command.said += text; });
  command.ended = once(child, "close").then(([status]) => status);
  return command;
}

/** Does a command, which has to end well. */
export async function done(project, args, variables) {
  const command = barncat(project, args, variables);
  const status = await command.ended;
  if (status !== 0) throw new Error(`barncat ${args.join(" ")} ended with ${status}:\n${command.said}`);
}

/** Does an SQL script by psql. */
export async function sql(address, script, variables = {}) {
  const set_ = Object.entries(variables).flatMap(([name, value]) => ["-v", `${name}=${value}`]);
  const file = script.endsWith(".sql");
  const child = spawn(
    `${set("BARNCAT_SERVERS_BIN")}/psql`,
    ["-X", "-q", "-At", "-v", "ON_ERROR_STOP=1", ...set_, "-d", address, ...(file ? ["-f", script] : [])],
    { env: { ...process.env, PGOPTIONS: "-c client_min_messages=warning" }, stdio: [file ? "ignore" : "pipe", "ignore", "pipe"] },
  );
  let said = "";
  child.stderr.on("data", (text) => { said += text; });
  if (!file) child.stdin.end(script);
  const [status] = await once(child, "close");
  if (status !== 0) throw new Error(`psql ended with ${status}:\n${said}`);
}

/** Does something with the demo's servers. */
export function servers(...what) {
  execFileSync("scripts/servers.sh", [...what, "--dir", set("BARNCAT_SERVERS_DIR")], { stdio: "ignore" });
}

/** A service on a free port of the loopback. */
export class Service {
  /** Starts one; what it says last is told if it ends by itself. */
  static async start(project, variables = {}) {
    const child = spawn(set("BARNCAT"), ["serve", "--project", project, "--listen", "127.0.0.1:0", "--log-format", "json"], {
      env: { ...process.env, ...variables },
      stdio: ["ignore", "ignore", "pipe"],
    });
    started.add(child);
    const service = new Service();
    service.child = child;
    service.ended = once(child, "close").then(([status]) => status);
    const lines = createInterface({ input: child.stderr });
    const last = [];
    service.address = await new Promise((found, failed) => {
      lines.on("line", (line) => {
        last.push(line);
        last.splice(0, last.length - 20);
        const told = line.startsWith("{") ? JSON.parse(line) : {};
        if (told.message === "serves") found(`http://${told.listen}`);
      });
      service.ended.then((status) => failed(new Error(`the service ended with ${status}:\n${last.join("\n")}`)));
    });
    return service;
  }

  /** Waits until it has read the control database. */
  async ready() {
    for (;;) {
      const answer = await fetch(`${this.address}/api/v1/tasks`);
      if (answer.ok) return this;
      await new Promise((again) => setTimeout(again, 100));
    }
  }

  /** Stops it, which it has to take well. */
  async stop() {
    this.child.kill("SIGTERM");
    const status = await this.ended;
    if (status !== 0) throw new Error(`the service ended with ${status}`);
  }
}
