/**
 * The fixed workload behind the figure "pool reuse": see docs/reliability.md. Each lease makes one request, and every
 * reply is checked, while connections expire and peers die.
 */
import type { Engine, LeasedConnection } from '../../api/index.js'

/** Requests. Each hundredth ends its peer, by turns before the reply and after it. */
const REQUESTS = 1_000
const REQUESTS_PER_DEATH = 100
/** How many requests are made at once. */
const CLIENTS = 2
const IDLE_TIMEOUT_MS = 250
const MAX_LIFETIME_MS = 1_000

export interface PoolReuseReport {
  /** Leases granted; more than there are requests, since a request whose peer died is made again. */
  readonly acquired: number
  readonly reused: number
  /** reused / acquired. */
  readonly reuseRate: number
  /** Connections made. */
  readonly created: number
  /** Requests that met a dead peer, and were made again. */
  readonly cut: number
  /** Requests that were never answered; 0 unless something is wrong. */
  readonly failed: number
  /** Replies that were not what they should be; 0 unless something is wrong. */
  readonly wrong: number
}

/** Listens on the endpoint, which must be free. */
export async function runPoolReuse(engine: Engine, endpoint: string): Promise<PoolReuseReport> {
  const transport = engine.transport(endpoint)
  const listener = await transport.listen((connection) => {
    connection.subscribe((frame) => {
      const [order] = String(frame).split(' ')
      if (order === 'die') {
        connection.destroy()
        return
      }
      connection.send(`reply to ${String(frame)}`)
      if (order === 'last') void connection.close()
    })
  })
  const pool = transport.pool({
    max: CLIENTS,
    idleTimeoutMs: IDLE_TIMEOUT_MS,
    maxLifetimeMs: MAX_LIFETIME_MS,
  })
  let next = 0
  let cut = 0
  let failed = 0
  let wrong = 0

  const request = async (number: number): Promise<void> => {
    let order = orderOf(number)
    for (let attempt = 0; attempt < 10; attempt++) {
      const text = `${order} ${String(number)}`
      const reply = await pool.use((connection) => ask(connection, text)).catch(() => undefined)
      if (reply !== undefined) {
        if (reply !== `reply to ${text}`) wrong++
        return
      }
      cut++
      order = 'ask'
    }
    failed++
  }
  const client = async (until: number): Promise<void> => {
    while (next < until) await request(next++)
  }
  const clients = async (until: number): Promise<void> => {
    await Promise.all(Array.from({ length: CLIENTS }, () => client(until)))
  }

  await clients(REQUESTS / 2)
  // A pause that is long enough for the idle connections to expire.
  while (pool.stats().size > 0) await new Promise((resolve) => setTimeout(resolve, IDLE_TIMEOUT_MS / 10))
  await clients(REQUESTS)
  const { acquired, reused, reuseRate, created } = pool.stats()
  await pool.close()
  await listener.close()
  return { acquired, reused, reuseRate, created, cut, failed, wrong }
}

function orderOf(number: number): 'ask' | 'die' | 'last' {
  if (number % REQUESTS_PER_DEATH !== REQUESTS_PER_DEATH / 2) return 'ask'
  return Math.floor(number / REQUESTS_PER_DEATH) % 2 === 0 ? 'die' : 'last'
}

/** Rejects if the peer is gone. */
async function ask(connection: LeasedConnection, text: string): Promise<string> {
  connection.send(text)
  const reply = await connection.receive()
  if (reply === undefined) throw new Error('the peer has ended')
  return String(reply)
}
