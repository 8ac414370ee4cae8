/** Connections that modules serve in the shards that have dialled them, when those shards die. */
import test, { type ExecutionContext } from 'ava'
import { createEngine, type Engine } from '../../api/index.js'
import { rejects } from '../helpers/expected-errors.js'
import { moduleUrl } from '../helpers/module-url.js'
import { randomName } from '../helpers/temporary-folder.js'
import { signal, until } from '../helpers/turns.js'
import { failOnWarnings } from '../helpers/warnings.js'

const WATCHDOG_MS = 20_000

failOnWarnings()

async function withEngine(t: ExecutionContext, body: (engine: Engine) => Promise<void>): Promise<void> {
  t.timeout(WATCHDOG_MS)
  const engine = await createEngine({ shards: 1, restart: { max: 10 } })
  try {
    await body(engine)
  } finally {
    const report = await engine.close({ graceMs: 0 })
    t.is(report.leaked, 0, JSON.stringify(report.byKind))
  }
}

const mortal = moduleUrl(`
  export const api = () => ({ hang: () => new Promise(() => undefined), die: () => process.exit(3) })
  export default () => undefined
`)

interface Mortal {
  hang(): void
  die(): void
}

test.serial('a shard that dies ends its connection with ERR_SHARD_LOST, and calls of its module', async (t) => {
  await withEngine(t, async (engine) => {
    const far = await createEngine({ shards: 1 })
    try {
      const endpoint = `local:${randomName()}`
      const ends: Promise<unknown>[] = []
      await far.transport(endpoint).listen((connection) => {
        connection.subscribe(() => undefined)
        ends.push(connection.closed)
      })
      const transport = engine.transport(endpoint)
      const served = await transport.connect<Mortal>({ handler: mortal })
      const hanging = served.api.hang()
      const dying = served.api.die()
      await rejects(t, hanging, 'ERR_SHARD_LOST')
      await rejects(t, dying, 'ERR_SHARD_LOST')
      t.is((await served.closed).code, 'ERR_SHARD_LOST')
      await ends[0]
      // They settle, too.
      served.destroy()
      t.is((await served.close({ graceMs: 1_000 })).code, 'ERR_SHARD_LOST')
      await rejects(t, served.api.hang(), 'ERR_SHARD_LOST')
      const again = await transport.connect<Mortal>({ handler: mortal })
      t.is(again.info.generation, 2)
      t.is(engine.stats().shards[0]?.handlers.connections, 1)
      t.deepEqual(await again.close(), { code: 'OK' })
    } finally {
      await far.close({ graceMs: 0 })
    }
  })
})

test.serial('a shard that dies while the module is set up, or torn down, leaves nothing', async (t) => {
  await withEngine(t, async (engine) => {
    const transport = engine.transport(`memory:${randomName()}`)
    const stillborn = moduleUrl('export const setup = () => process.exit(3); export default () => undefined')
    await rejects(t, transport.connect({ handler: stillborn }), 'ERR_SHARD_LOST')
    await until(() => engine.stats().shards[0]?.state === 'up')
    await transport.listen((connection) => void connection.subscribe(() => undefined))
    const last = moduleUrl(`
      export const teardown = async ({ host }) => process.exit(await host.exitCode())
      export default (connection) => void connection.subscribe(() => undefined)
    `)
    const told = signal<number>()
    const served = await transport.connect({ handler: last, host: { exitCode: () => told.promise } })
    t.deepEqual(await served.close(), { code: 'OK' })
    told.resolve(3)
    await until(() => engine.stats().ledger.byKind.handlers.open === 0)
    await until(() => engine.stats().shards[0]?.generation === 3)
  })
})

test.serial('dials wait for a shard that comes back', async (t) => {
  await withEngine(t, async (engine) => {
    const transport = engine.transport(`memory:${randomName()}`)
    await transport.listen((connection) => void connection.subscribe(() => undefined))
    const served = await transport.connect<Mortal>({ handler: mortal })
    await rejects(t, served.api.die(), 'ERR_SHARD_LOST')
    await until(() => engine.stats().shards[0]?.state !== 'up')
    const again = await transport.connect<Mortal>({ handler: mortal })
    t.is(again.info.generation, 2)
    await again.close()
  })
})
