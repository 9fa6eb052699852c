// Runs the cases that are named on the command line and prints a line of JSON for each:
//
//     {"case", "outcome": "resolved" | "rejected", "value" | "error"}
//
// Exit code: 0 when every case had an outcome, 1 after the time limit, 2 for a wrong call of the program.

const TIME_LIMIT_MS = 170_000;

export const TOOL = {
    name: 'get_weather',
    description: 'Current weather of a city',
    parameters: {
        type: 'object',
        properties: { city: { type: 'string', description: 'Name of the city' } },
        required: ['city'],
    },
};

export async function run(cases) {
    const names = process.argv.slice(2);
    const unknown = names.filter((name) => !Object.hasOwn(cases, name));
    if (unknown.length || !names.length) {
        const expected = Object.keys(cases).join(', ');
        process.stderr.write(`expected cases out of ${expected}; got ${unknown.join(', ') || 'none'}\n`);
        process.exit(2);
    }
    let running;
    const limit = setTimeout(() => {
        process.stderr.write(`${running}: no outcome in ${TIME_LIMIT_MS} ms\n`);
        process.exit(1);
    }, TIME_LIMIT_MS);
    for (running of names) {
        let outcome;
        try {
            outcome = { outcome: 'resolved', value: (await cases[running]()) ?? null };
        } catch (error) {
            outcome = { outcome: 'rejected', error: describe(error) };
        }
        process.stdout.write(`${JSON.stringify({ case: running, ...outcome })}\n`);
    }
    clearTimeout(limit);
}

/** What a program can tell of an error: its class and the members that SDKs document. */
export function describe(error) {
    const members = {};
    for (const name of ['name', 'message', 'status', 'code', 'type', 'param', 'requestID', '$fault', '$metadata']) {
        if (error?.[name] !== undefined) members[name] = error[name];
    }
    return { class: error?.constructor?.name, ...members };
}

export async function collect(parts) {
    const collected = [];
    for await (const part of parts) collected.push(part);
    return collected;
}
