/** Tests that need a real nats-server. */
import process from 'node:process'
import test, { type ExecutionContext } from 'ava'
import { hasNatsServer, startNats, type NatsServer } from '../../perf/harness/nats-server.js'

const isRequired = process.env['SYMPHONY_TEST_NATS'] === 'required'

const withNats = isRequired || hasNatsServer() ? test : test.skip

interface Needs {
  readonly watchdogMs: number
  /** Flags besides those for the port and the files; `--js` gives it JetStream. */
  readonly flags?: readonly string[]
}

/** A test with a server of its own: skipped where there is no nats-server, unless SYMPHONY_TEST_NATS is `required`. */
export function natsTest(
  title: string,
  { watchdogMs, flags = [] }: Needs,
  body: (t: ExecutionContext, server: NatsServer) => Promise<void>,
): void {
  withNats(title, async (t) => {
    t.timeout(watchdogMs)
    const server = await startNats(...flags)
    try {
      await body(t, server)
    } finally {
      await server.remove()
    }
  })
}

export type { NatsServer }
