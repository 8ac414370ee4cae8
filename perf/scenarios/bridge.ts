/**
 * The bridge to NATS beside NATS itself: round trips one after the other, and frames as fast as they go. The client,
 * its engine and the bridge that listens are in this process; the bridge that dials and what it dials are in another.
 */
import { fork } from 'node:child_process'
import { once } from 'node:events'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import type { NatsConnection } from '@nats-io/transport-node'
import { listenOverNats } from '../../api/bridge-nats/index.js'
import { createEngine, type Connection } from '../../api/index.js'
import { startNats } from '../harness/nats-server.js'

export interface BridgeSettings {
  readonly folder: string
  readonly sizes: readonly number[]
  readonly rounds: number
  readonly count: number
}

export interface BridgeRow {
  readonly bytes: number
  readonly contender: 'NATS' | 'bridge'
  /** Microseconds, the mean of each round. */
  readonly roundTrips: readonly number[]
  /** Frames a second, of each round. */
  readonly streams: readonly number[]
  /** All frames came. */
  readonly verified: boolean
}

interface Contender {
  readonly name: BridgeRow['contender']
  roundTrip(frame: Uint8Array): Promise<void>
  /** Resolves with how many came. */
  stream(frame: Uint8Array, count: number): Promise<number>
}

const program = fileURLToPath(new URL('../programs/bridge-far.js', import.meta.url))
const SUBJECT = 'perf.bridge'
const REQUEST_MS = 60_000
/** Messages that NATS is given before it is waited for: it has no backpressure of its own. */
const BURST = 256

export async function runBridge({ folder, sizes, rounds, count }: BridgeSettings): Promise<readonly BridgeRow[]> {
  // All scenarios are loaded together, also where it is not installed.
  const { connect } = await import('@nats-io/transport-node')
  const server = await startNats()
  const [near, far] = ['near', 'far'].map((name) => `unix:${join(folder, name)}`)
  const child = fork(program, [server.url, far ?? '', SUBJECT], { stdio: ['ignore', 'inherit', 'inherit', 'ipc'] })
  const engine = await createEngine({ shards: 1 })
  try {
    await once(child, 'message')
    const transport = engine.transport(near ?? '', { allowHalfOpen: true })
    const bridge = await listenOverNats({ nats: { servers: server.url }, transport, subject: SUBJECT })
    const nats = await connect({ servers: server.url })
    const contenders = [plain(nats), bridged(await transport.connect())]
    const rows = sizes.flatMap((bytes) => contenders.map((contender) => new Row(bytes, contender)))
    // The first round warms up.
    for (let round = -1; round < rounds; round++) for (const row of rows) await row.measure(count, round >= 0)
    await bridge.close()
    await nats.close()
    return rows.map((row) => row.result)
  } finally {
    child.kill()
    await engine.close({ graceMs: 0 })
    await server.remove()
  }
}

class Row {
  readonly #bytes: number
  readonly #contender: Contender
  readonly #roundTrips: number[] = []
  readonly #streams: number[] = []
  #verified = true

  constructor(bytes: number, contender: Contender) {
    this.#bytes = bytes
    this.#contender = contender
  }

  async measure(count: number, isKept: boolean): Promise<void> {
    const frame = Buffer.alloc(this.#bytes, 1)
    const asking = performance.now()
    for (let i = 0; i < count / 10; i++) await this.#contender.roundTrip(frame)
    const roundTrip = ((performance.now() - asking) * 1_000) / (count / 10)
    frame[0] = 2
    const sending = performance.now()
    this.#verified &&= (await this.#contender.stream(frame, count)) === count
    const stream = (count / (performance.now() - sending)) * 1_000
    if (!isKept) return
    this.#roundTrips.push(roundTrip)
    this.#streams.push(stream)
  }

  get result(): BridgeRow {
    return {
      bytes: this.#bytes,
      contender: this.#contender.name,
      roundTrips: this.#roundTrips,
      streams: this.#streams,
      verified: this.#verified,
    }
  }
}

function plain(nats: NatsConnection): Contender {
  const subject = `plain.${SUBJECT}`
  const ask = (frame: Uint8Array) => nats.request(subject, frame, { timeout: REQUEST_MS })
  return {
    name: 'NATS',
    async roundTrip(frame) {
      await ask(frame)
    },
    async stream(frame, count) {
      for (let i = 0; i < count; i++) {
        nats.publish(subject, frame)
        if (i % BURST === BURST - 1) await nats.flush()
      }
      return Number((await ask(new Uint8Array())).string())
    },
  }
}

function bridged(connection: Connection): Contender {
  return {
    name: 'bridge',
    async roundTrip(frame) {
      connection.send(frame)
      await connection.receive()
    },
    async stream(frame, count) {
      for (let i = 0; i < count; i++) if (!connection.send(frame)) await connection.ready()
      connection.send('')
      return Number(String(await connection.receive()))
    },
  }
}
