// SPDX-License-Identifier: GPL-3.0-or-later
//
// A real gRPC service and its callers, @grpc/grpc-js at both ends.
//
//   serve PORT              in plain text; a line on standard output for each call that begins, is cancelled, ends
//   call ADDRESS SPEC...    one channel in plain text, one call after the other; a line for each: METHOD STATUS TEXT
//
// A SPEC is METHOD[=NUMBERS], METHOD of peer.proto or
//   Echo=SIZE            there and back              Hang=MS         with that deadline
//   Cancel               Hang, cancelled             Who             metadata as it arrived, spoofed and binary
//   Down=COUNT,SIZE,MS   Up=COUNT,SIZE               Chat=COUNT,SIZE each sent when the one before is back
//   Flood=CALLS,STREAMS  Echo of 10 bytes, so many at a time
//   Bulk=COUNT,SIZE      a stream both ways at once, hashed at both ends: Up's sum against our own
//   Stuck=SIZE           to a service that does not read for a while: how much can be written until that holds us
import { createHash, randomBytes } from "node:crypto";
import grpc from "@grpc/grpc-js";
import loader from "@grpc/proto-loader";

const proto = grpc.loadPackageDefinition(loader.loadSync(new URL("peer.proto", import.meta.url).pathname, { longs: Number, defaults: true }));
const Peer = proto.test.Peer;
const say = (...words) => console.log(...words);
const sleep = (ms) => new Promise((done) => setTimeout(done, ms));
const HUGE = { "grpc.max_receive_message_length": -1, "grpc.max_send_message_length": -1 };

// Writes to a stream as fast as it takes it.
const WHILE = 3000;
const put = (stream, message) => new Promise((done) => (stream.write(message) ? done() : stream.once("drain", done)));

// --- the service ---

function echo(call, done) {
    done(null, call.request);
}

function who(call, done) {
    const all = Object.entries(call.metadata.getMap()).map(([k, v]) => [k, Buffer.isBuffer(v) ? v.toString("hex") : v]);
    const head = new grpc.Metadata(), tail = new grpc.Metadata();
    head.set("head-bin", Buffer.from([0, 255, 10]));
    tail.set("tail-bin", Buffer.from([128, 0, 13, 10]));
    tail.set("tail-text", "plain");
    call.sendMetadata(head);
    done(null, { text: JSON.stringify(all) }, tail);
}

function hang(call) {
    call.on("cancelled", () => say("cancelled"));
}

function fail(_call, done) {
    const metadata = new grpc.Metadata();
    metadata.set("grpc-status-details-bin", Buffer.from([8, 9, 0]));
    done({ code: grpc.status.FAILED_PRECONDITION, details: "not now: 100 % déjà vu", metadata });
}

async function down(call) {
    const { count, pauseMs, body } = call.request;
    for (let i = 0; i < count && !call.cancelled; i++) {
        if (i && pauseMs) await sleep(pauseMs);
        await put(call, { body, count: i });
    }
    call.end();
}

function up(call, done) {
    const hash = createHash("sha256");
    let count = 0, bytes = 0;
    call.on("data", (m) => {
        count++;
        bytes += m.body.length;
        hash.update(m.body);
    });
    call.on("end", () => done(null, { count, bytes, sha256: hash.digest("hex") }));
}

function slow(call, done) {
    setTimeout(() => up(call, done), WHILE);
}

function chat(call) {
    call.on("data", (m) => {
        if (!call.write(m)) {
            call.pause();
            call.once("drain", () => call.resume());
        }
    });
    call.on("end", () => call.end());
    call.on("error", () => {});
}

function serve(port) {
    const told = (name, f) => (call, done) => {
        say("call", name);
        f(call, done);
    };
    const server = new grpc.Server(HUGE);
    server.addService(Peer.service, {
        echo, slow: told("Slow", slow), closed: told("Closed", echo), limited: told("Limited", echo), who, hang: told("Hang", hang), fail,
        down: told("Down", down), up: told("Up", up), chat: told("Chat", chat),
    });
    server.bindAsync("127.0.0.1:" + port, grpc.ServerCredentials.createInsecure(), (error) => {
        if (error) throw error;
    });
}

// --- its callers ---

const later = (ms) => ({ deadline: Date.now() + ms });
const DEADLINE = Number(process.env.DEADLINE ?? 60000);

function unary(client, method, request, metadata = new grpc.Metadata(), options = later(DEADLINE)) {
    return new Promise((done, fail) => {
        const got = {};
        const call = client[method](request, metadata, options, (error, reply) =>
            error ? fail(Object.assign(error, got)) : setImmediate(() => done({ reply, ...got })));
        call.on("metadata", (m) => (got.head = m));
        call.on("status", (s) => (got.tail = s.metadata));
    });
}

const calls = {
    async Echo(client, [size = 10], method) {
        const body = randomBytes(size);
        return body.equals((await unary(client, method, { body })).reply.body) ? "same" : "different";
    },
    async Who(client) {
        const metadata = new grpc.Metadata();
        for (const name of ["cf-client-cert-sha256", "client-cert", "x-forwarded-client-cert"]) metadata.set(name, "evil");
        metadata.set("own-bin", Buffer.from([1, 254, 0, 44]));
        metadata.set("own", "text");
        const { reply, head, tail } = await unary(client, "who", {}, metadata);
        return [reply.text, head.get("head-bin")[0].toString("hex"), tail.get("tail-bin")[0].toString("hex"), tail.get("tail-text")[0]].join(" ");
    },
    async Hang(client, [ms]) {
        await unary(client, "hang", {}, new grpc.Metadata(), later(ms ?? DEADLINE));
    },
    Cancel(client) {
        return new Promise((_done, fail) => {
            const call = client.hang({}, new grpc.Metadata(), later(DEADLINE), (error) => fail(error));
            setTimeout(() => call.cancel(), 200);
        });
    },
    async Fail(client) {
        await unary(client, "fail", {});
    },
    async Down(client, [count, size = 10, pauseMs = 0]) {
        const body = randomBytes(size);
        let n = 0;
        for await (const m of client.down({ body, count, pauseMs }, later(DEADLINE))) {
            if (m.count !== n++ || !m.body.equals(body)) return "broken";
            if (pauseMs) say("got", m.count);
        }
        return n === count ? "whole" : `${n} of ${count}`;
    },
    Up(client, [count, size]) {
        return new Promise((done, fail) => {
            const hash = createHash("sha256");
            const call = client.up(later(DEADLINE), (error, sum) =>
                error ? fail(error) : done(sum.sha256 === hash.digest("hex") ? `${sum.count} ${sum.bytes}` : "broken"));
            (async () => {
                for (let i = 0; i < count; i++) {
                    const body = randomBytes(size);
                    hash.update(body);
                    await put(call, { body });
                }
                call.end();
            })();
        });
    },
    async Chat(client, [count, size = 10]) {
        const call = client.chat(later(DEADLINE));
        let next;
        const end = new Promise((done, fail) => {
            call.on("error", fail);
            call.on("end", done);
            call.on("data", (m) => next(m));
        });
        for (let i = 0; i < count; i++) {
            const body = randomBytes(size);
            const back = await Promise.race([end, new Promise((done) => {
                next = done;
                call.write({ body, count: i });
            })]);
            if (!back || back.count !== i || !back.body.equals(body)) return "broken";
        }
        call.end();
        await end;
        return "over";
    },
    async Flood(client, [total, streams]) {
        const body = Buffer.from("0123456789");
        let begun = 0, good = 0;
        await Promise.all(Array.from({ length: streams }, async () => {
            while (begun < total) {
                const count = begun++;
                const { reply } = await unary(client, "echo", { body, count });
                good += reply.count === count && reply.body.equals(body);
            }
        }));
        return `${good} of ${total}`;
    },
    // Both ways at once on one stream: what comes back must be what went, in order.
    Bulk(client, [count, size]) {
        return new Promise((done, fail) => {
            const call = client.chat(later(DEADLINE));
            const sent = createHash("sha256"), got = createHash("sha256");
            let bytes = 0;
            call.on("data", (m) => {
                bytes += m.body.length;
                got.update(m.body);
            });
            call.on("error", fail);
            call.on("end", () => done(sent.digest("hex") === got.digest("hex") ? `${bytes} each way` : "broken"));
            (async () => {
                const body = randomBytes(size);
                for (let i = 0; i < count; i++) {
                    body.writeUInt32BE(i);
                    sent.update(body);
                    await put(call, { body: Buffer.from(body) });
                }
                call.end();
            })();
        });
    },
    Stuck(client, [size]) {
        return new Promise((done, fail) => {
            const body = randomBytes(size);
            let count = 0, held;
            const call = client.slow(later(DEADLINE), (error, sum) =>
                error ? fail(error) : done(`${sum.count === count ? "whole" : "broken"}, held at ${held}`));
            (async () => {
                while (held === undefined) {
                    const gone = put(call, { body });
                    count++;
                    if (!(await Promise.race([gone.then(() => true), sleep(WHILE / 3)]))) held = count * size;
                    await gone;
                }
                call.end();
            })();
        });
    },
};

async function call(address, specs) {
    const client = new Peer(address, grpc.credentials.createInsecure(), { ...HUGE, "grpc.enable_retries": 0 });
    for (const spec of specs) {
        const [name, numbers] = spec.split("=");
        const f = calls[name] ?? calls.Echo;
        const began = Date.now();
        try {
            const text = await f(client, numbers ? numbers.split(",").map(Number) : [], name.toLowerCase());
            say(name, "OK", text);
        } catch (error) {
            if (error.code === undefined) throw error;
            say(name, grpc.status[error.code], error.details, error.metadata?.get("grpc-status-details-bin").map((b) => b.toString("hex")).join() ?? "");
        }
        if (process.env.TIMES) console.error(name, Date.now() - began, "ms");
    }
    client.close();
}

const [what, where, ...specs] = process.argv.slice(2);
if (what === "serve") serve(where);
else await call(where, specs);
