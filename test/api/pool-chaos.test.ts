/**
 * A pool amid deaths, aborts and timeouts: every answer belongs to its question, and everything is released.
 */
import test, { type ExecutionContext } from 'ava'
import { createEngine, TransportError, type Connection, type LeasedConnection } from '../../api/index.js'
import { faultyOptions, strike } from '../helpers/faults.js'
import { nativeMemories } from '../helpers/native-memories.js'
import { Random, testSeed } from '../helpers/random.js'
import { makeTemporaryFolder } from '../helpers/temporary-folder.js'
import { turns, until } from '../helpers/turns.js'
import { failOnWarnings } from '../helpers/warnings.js'

const WATCHDOG_MS = 120_000
const CLIENTS = 12
const REQUESTS = 120
const DEATHS = 3

failOnWarnings()

const seed = testSeed()

for (const kind of nativeMemories.length === 0 ? ['socket'] : ['socket', 'shm']) {
  test.serial(`whatever dies, no answer goes to another user (${kind}, seed ${String(seed)})`, amidDeaths, kind)
}

async function amidDeaths(t: ExecutionContext, kind: string): Promise<void> {
  t.timeout(WATCHDOG_MS)
  const random = new Random(seed)
  const below = (limit: number): number => random.below(limit)
  const folder = await makeTemporaryFolder()
  const engine = await createEngine({ shards: 2, ...faultyOptions() })
  try {
    const transport = engine.transport(kind === 'shm' ? `shm:${folder.socketPath()}` : folder.endpoint())
    const peers = new Set<Connection>()
    await transport.listen((connection) => {
      peers.add(connection)
      void connection.closed.then(() => peers.delete(connection))
      connection.subscribe((frame) => {
        const text = String(frame)
        if (text.startsWith('die')) {
          connection.destroy()
          return
        }
        connection.send(`reply to ${text}`)
        if (text.startsWith('last')) void connection.close()
      })
    })
    const pool = transport.pool({
      min: 1,
      max: 5,
      idleTimeoutMs: 5,
      maxLifetimeMs: 50,
      backoff: { initialMs: 1, maxMs: 10 },
      createAttempts: 20,
    })
    const outcomes = new Map<string, number>()
    const tally = (outcome: string): void => void outcomes.set(outcome, (outcomes.get(outcome) ?? 0) + 1)

    const ask = async (connection: LeasedConnection, text: string): Promise<void> => {
      connection.send(text)
      const reply = await connection.receive()
      // A peer that is about to die may not answer; if it does, the answer must belong to this question.
      if (reply === undefined) throw new TransportError('ERR_RESET', 'the peer has ended')
      t.is(String(reply), `reply to ${text}`)
    }
    const request = async (text: string): Promise<void> => {
      const controller = new AbortController()
      const isHasty = below(8) === 0
      const asking = pool.use((connection) => ask(connection, text), { signal: controller.signal })
      if (isHasty) {
        if (below(2) === 0) await Promise.resolve()
        controller.abort()
      }
      try {
        await asking
        tally('answered')
      } catch (error) {
        if (!(error instanceof TransportError)) throw error
        tally(error.code)
      }
    }
    let unfinished = CLIENTS
    const client = async (number: number): Promise<void> => {
      for (let i = 0; i < REQUESTS; i++) {
        const kind = (['die', 'last'] as const)[below(40)] ?? 'ask'
        await request(`${kind} ${String(number)}.${String(i)}`)
        if (below(10) === 0) await turns(below(20))
      }
      unfinished--
    }
    const trouble = async (): Promise<void> => {
      for (let deaths = 0; unfinished > 0; deaths++) {
        await turns(50 + below(200))
        for (const peer of peers) if (random.oneIn(12)) peer.destroy()
        pool.resize({ min: below(3), max: 3 + below(5) })
        if (deaths >= DEATHS || engine.stats().shards.some(({ state }) => state !== 'up')) continue
        const shard = below(2)
        const generation = engine.stats().shards[shard]?.generation
        await strike(engine, shard, 'exit')
        // It counts as up until it is gone: another strike at this life of it would never be answered.
        await until(() => {
          const now = engine.stats().shards[shard]
          return now?.state !== 'up' || now.generation !== generation
        })
      }
    }
    await Promise.all([trouble(), ...Array.from({ length: CLIENTS }, (_, number) => client(number))])
    t.log(JSON.stringify({ ...Object.fromEntries(outcomes), ...pool.stats() }))
    t.is(
      [...outcomes.values()].reduce((sum, count) => sum + count, 0),
      CLIENTS * REQUESTS,
    )
    t.true((outcomes.get('answered') ?? 0) > (CLIENTS * REQUESTS) / 4)
    const { size, connecting, validating, idle, leased, waiting, created, destroyed } = pool.stats()
    t.deepEqual([leased, waiting], [0, 0])
    t.is(size, connecting + validating + idle)
    t.is(created - destroyed, validating + idle)
    await pool.close({ graceMs: 60_000 })
    t.like(pool.stats(), { size: 0, waiting: 0 })
  } finally {
    const { leaked, byKind } = await engine.close({ graceMs: 0 })
    t.is(leaked, 0, JSON.stringify(byKind))
    await folder.remove()
  }
}
