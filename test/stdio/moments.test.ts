/**
 * A shard that dies, and an engine that closes, at any moment of a child's life: nothing hangs, and no child is left,
 * nor a zombie.
 */
import process from 'node:process'
import test, { type ExecutionContext } from 'ava'
import { createEngine, type Connection, type Engine } from '../../api/index.js'
import { countChildren, sh } from '../helpers/small-children.js'
import { faultyOptions, nextEvent, strikeSoon } from '../helpers/faults.js'
import { canCountResources } from '../helpers/process-resources.js'
import { turns, until } from '../helpers/turns.js'
import { failOnWarnings } from '../helpers/warnings.js'

const WATCHDOG_MS = 60_000
/** From before the shard gets the request until after the child runs: each step of a connect takes a few turns. */
const MOMENTS = [0, 1, 2, 3, 5, 8, 13, 21, 34, 55, 89, 144]
/** It ends with its stdin, or with SIGTERM, whichever is first. */
const endpoint = sh('exec cat', { killAfterMs: 10_000 })

failOnWarnings()

function moments(title: string, body: (t: ExecutionContext, engine: Engine, moment: number) => Promise<void>): void {
  const declare = process.platform === 'linux' && canCountResources ? test.serial : test.serial.skip
  declare(title, async (t) => {
    t.timeout(WATCHDOG_MS)
    const engine = await createEngine({ shards: 1, ...faultyOptions() })
    try {
      for (const moment of MOMENTS) await body(t, engine, moment)
      await until(() => {
        const { opened, released } = engine.stats().ledger.byKind.children
        return opened === released
      })
    } finally {
      const { leaked, byKind } = await engine.close({ graceMs: 0 })
      t.is(leaked, 0, JSON.stringify(byKind))
    }
    t.is(countChildren(), 0)
  })
}

/** Resolves when the shard has died and the next one is up. */
async function strikeAndReturn(engine: Engine): Promise<void> {
  const restored = nextEvent('shard.restored')
  strikeSoon(engine, 0, 'exit')
  await restored
}

const codeOf = (error: unknown): string => (error as { readonly code: string }).code

moments('the shard dies at any turn of a connect', async (t, engine, moment) => {
  const connecting = engine
    .transport(endpoint)
    .connect()
    .then(
      async (connection) => (await connection.closed).code,
      (error: unknown) => codeOf(error),
    )
  await turns(moment)
  await strikeAndReturn(engine)
  t.is(await connecting, 'ERR_SHARD_LOST')
})

moments('the shard dies at any turn of a close', async (t, engine, moment) => {
  const connection = await engine.transport(endpoint).connect()
  const closing = connection.close()
  await turns(moment)
  await strikeAndReturn(engine)
  const { code } = await closing
  t.true(code === 'OK' || code === 'ERR_SHARD_LOST' || code === 'ERR_EXIT', code)
})

moments('the engine closes at any turn after the shard was ordered to die', async (t, _shared, moment) => {
  const engine = await createEngine({ shards: 1, ...faultyOptions() })
  const connections: Connection[] = [await engine.transport(endpoint).connect()]
  strikeSoon(engine, 0, 'exit')
  const late = engine
    .transport(endpoint)
    .connect()
    .then(
      (connection) => connections.push(connection),
      (error: unknown) => codeOf(error),
    )
  await turns(moment)
  const { leaked, byKind } = await engine.close({ graceMs: 0 })
  t.is(leaked, 0, JSON.stringify(byKind))
  t.is(byKind.children.opened, byKind.children.released)
  await late
  await Promise.all(connections.map((connection) => connection.closed))
  t.is(countChildren(), 0)
})
