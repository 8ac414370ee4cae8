/** The metrics for prom-client, with the real package: what its registry says is what has happened. */
import { channel } from 'node:diagnostics_channel'
import test, { type ExecutionContext } from 'ava'
import client from 'prom-client'
import { createEngine, diagnosticsChannels, type Engine, type EngineOptions } from '../../api/index.js'
import { promName } from '../../api/metrics/metric.js'
import { promMetrics, type PromOptions } from '../../api/metrics/index.js'
import { metrics } from '../../api/metrics/table.js'
import { throws } from '../helpers/expected-errors.js'
import { faultyOptions, nextEvent, strike } from '../helpers/faults.js'
import { PromText } from '../helpers/prom-text.js'
import { makeTemporaryFolder } from '../helpers/temporary-folder.js'

const WATCHDOG_MS = 60_000
const FRAMES = 40
const FRAME = Buffer.alloc(1000, 1)
const P = 'symphony_transport_'

interface World {
  readonly engine: Engine
  readonly registry: client.Registry
  readonly endpoint: () => string
  readonly scrape: () => Promise<PromText>
}

async function withMetrics(
  t: ExecutionContext,
  engineOptions: EngineOptions,
  options: Partial<PromOptions>,
  body: (world: World) => Promise<void>,
): Promise<void> {
  t.timeout(WATCHDOG_MS)
  const folder = await makeTemporaryFolder()
  const engine = await createEngine({ shards: 1, ...engineOptions })
  const registry = new client.Registry()
  try {
    promMetrics(engine, { client, registry, ...options })
    const scrape = async (): Promise<PromText> => new PromText(await registry.metrics())
    await body({ engine, registry, endpoint: () => folder.endpoint(), scrape })
  } finally {
    t.is((await engine.close({ graceMs: 0 })).leaked, 0)
    await folder.remove()
  }
}

const observed = (): readonly string[] =>
  Object.values(diagnosticsChannels).filter((name) => channel(name).hasSubscribers)

test.serial(
  'what was sent, opened and closed is what the registry says, and the last engine takes all out',
  async (t) => {
    let registry = new client.Registry()
    await withMetrics(t, {}, { labels: { app: 'tests' } }, async (world) => {
      ;({ registry } = world)
      const { engine, scrape } = world
      const transport = engine.transport(world.endpoint())
      const listener = await transport.listen()
      const [dialled, accepted] = await Promise.all([transport.connect(), listener.accept()])
      for (let i = 0; i < FRAMES; i++) dialled.send(FRAME)
      for (let i = 0; i < FRAMES; i++) await accepted?.receive()
      const { kind } = dialled.info
      const open = await scrape()
      t.deepEqual(
        [...open.types]
          .filter(([name]) => name.startsWith(P))
          .map(([name]) => name)
          .sort(),
        metrics.map((metric) => promName('symphony_transport', metric)).sort(),
      )
      t.true(open.series.every(({ labels }) => labels['app'] === 'tests' && labels['engine'] === engine.id))
      t.is(open.sum(`${P}frames_sent_total`), FRAMES)
      t.is(open.sum(`${P}frames_received_total`), FRAMES)
      t.is(open.sum(`${P}payload_sent_bytes_total`), FRAMES * FRAME.length)
      t.is(open.sum(`${P}payload_received_bytes_total`), FRAMES * FRAME.length)
      t.is(open.sum(`${P}connections`), 2)
      t.is(open.sum(`${P}listeners`), 1)
      t.is(open.sum(`${P}resources_open`, { resource: 'connections' }), 2)
      t.is(open.sum(`${P}connections_opened_total`, { kind, role: 'dialled' }), 1)
      t.is(open.sum(`${P}connect_duration_seconds_count`, { kind, code: 'OK' }), 1)
      t.is(open.sum(`${P}shard_up`, { shard: '0' }), 1)
      // Main writes small frames itself, and shards the others: each byte is one or the other's, headers too.
      const written = open.sum(`${P}shard_written_bytes_total`) + open.sum(`${P}shard_inline_written_bytes_total`)
      t.is(written, FRAMES * (4 + FRAME.length))
      await Promise.all([dialled.close(), accepted?.closed])
      await listener.close()
      const closed = await scrape()
      t.is(closed.sum(`${P}connections_closed_total`, { kind, code: 'OK' }), 2)
      t.is(closed.sum(`${P}connections`), 0)
      t.is(closed.sum(`${P}frames_sent_total`), FRAMES)
    })
    t.deepEqual(registry.getMetricsAsArray(), [])
    t.deepEqual(observed(), [])
  },
)

test.serial('counters go on when a shard dies, and the loss is counted', async (t) => {
  await withMetrics(t, faultyOptions(), {}, async ({ engine, endpoint, scrape }) => {
    const transport = engine.transport(endpoint())
    const listener = await transport.listen()
    const [dialled, accepted] = await Promise.all([transport.connect(), listener.accept()])
    dialled.send(FRAME)
    await accepted?.receive()
    const before = await scrape()
    const restored = nextEvent('shard.restored')
    await strike(engine, 0, 'exit')
    await Promise.all([restored, dialled.closed, accepted?.closed])
    const after = await scrape()
    for (const { name, labels, value } of before.series) {
      if (before.types.get(name) === 'counter') t.true(after.sum(name, labels) >= value, name)
    }
    t.is(after.sum(`${P}shards_lost_total`, { shard: '0' }), 1)
    t.is(after.sum(`${P}shard_starts_total`, { shard: '0' }), 2)
    t.is(after.sum(`${P}connections_closed_total`, { code: 'ERR_SHARD_LOST' }), 2)
  })
})

test.serial('pools and reconnecting connections: states, leases, attempts, and what became of frames', async (t) => {
  await withMetrics(t, {}, { endpoints: true }, async ({ engine, endpoint, scrape }) => {
    const transport = engine.transport(endpoint())
    const missing = engine.transport(endpoint())
    const hopeless = missing.reconnecting({ maxAttempts: 2, backoff: { initialMs: 1, maxMs: 1 } })
    hopeless.send('one')
    hopeless.send('two')
    t.is((await hopeless.closed).code, 'ERR_GAVE_UP')
    const listener = await transport.listen((connection) => {
      connection.subscribe(() => connection.destroy())
    })
    const pool = transport.pool({ max: 2 })
    await pool.use(() => undefined)
    const lease = await pool.acquire()
    const open = await scrape()
    const to = { endpoint: transport.endpoint }
    t.is(open.sum(`${P}pool_connections`, { ...to, state: 'leased' }), 1)
    t.is(open.sum(`${P}pool_acquired_total`), 2)
    t.is(open.sum(`${P}pool_reused_total`), 1)
    lease.release()
    await pool.close()
    const closed = await scrape()
    t.deepEqual(closed.find(`${P}pool_connections`, to), [])
    t.is(closed.sum(`${P}pool_acquired_total`), 2, 'also of closed pools')
    const lost = { endpoint: missing.endpoint }
    t.is(closed.sum(`${P}reconnecting_attempts_total`, lost), 2)
    t.is(closed.sum(`${P}reconnecting_failures_total`, { ...lost, code: 'ERR_NOT_FOUND' }), 2)
    t.is(closed.sum(`${P}reconnecting_gave_up_total`, lost), 1)
    t.is(closed.sum(`${P}reconnecting_frames_total`, { ...lost, fate: 'dropped' }), 2)
    t.is(closed.sum(`${P}connect_duration_seconds_count`, { code: 'ERR_NOT_FOUND' }), 2)
    const again = transport.reconnecting({ backoff: { initialMs: 1, maxMs: 1 } })
    await again.connected()
    const recovered = nextEvent('reconnecting.connected')
    again.send('fatal')
    await recovered
    t.is((await scrape()).sum(`${P}reconnecting_connections`, { ...to, state: 'connected' }), 1)
    await again.close()
    await listener.close()
    const ended = await scrape()
    t.is(ended.sum(`${P}reconnecting_losses_total`, to), 1, 'an orderly end is no loss')
    // Whether the write had reported back by then is up to the system.
    const sent = (fate: string): number => ended.sum(`${P}reconnecting_frames_total`, { ...to, fate })
    t.is(sent('handed_over') + sent('unconfirmed'), 1)
    t.is(sent('dropped') + sent('lost') + sent('resent'), 0)
  })
})

test.serial('several engines share the metrics, each under its name, and one that closes goes', async (t) => {
  await withMetrics(t, {}, { name: 'first', prefix: 'ipc' }, async ({ engine, registry, scrape }) => {
    throws(t, () => promMetrics(engine, { client, registry, prefix: 'ipc' }), 'ERR_INVALID_OPTION')
    const other = await createEngine({ shards: 1 })
    const more = promMetrics(other, { client, registry, prefix: 'more' })
    throws(t, () => more.add(other), 'ERR_INVALID_OPTION')
    more.add(engine, { name: 'first' })
    t.deepEqual(
      (await scrape()).find('more_connections').map(({ labels }) => labels['engine']),
      [other.id, 'first'],
    )
    const failing = other.transport('memory:nobody').connect()
    await t.throwsAsync(failing)
    t.is((await scrape()).sum('more_connect_duration_seconds_count', { engine: other.id }), 1)
    t.deepEqual((await scrape()).find('ipc_connect_duration_seconds_count'), [])
    await other.close()
    const left = await scrape()
    t.true(left.series.every(({ labels }) => labels['engine'] === 'first'))
    more.stop()
    throws(t, () => more.add(engine), 'ERR_INVALID_OPTION')
    t.true((await scrape()).series.every(({ name }) => name.startsWith('ipc_')))
  })
  t.deepEqual(observed(), [])
})

test.serial('endpoints as labels are bounded, and wrong options are refused', async (t) => {
  await withMetrics(t, {}, { endpoints: true }, async ({ engine, registry, scrape }) => {
    const count = 120
    const doomed = Array.from({ length: count }, (_, i) =>
      engine.transport(`memory:nobody-${String(i)}`).reconnecting({ maxAttempts: 1 }),
    )
    await Promise.all(doomed.map(({ closed }) => closed))
    const text = await scrape()
    t.is(text.find(`${P}reconnecting_attempts_total`).length, 101)
    t.is(text.sum(`${P}reconnecting_attempts_total`), count)
    t.is(text.sum(`${P}reconnecting_attempts_total`, { endpoint: 'other' }), count - 100)
    const wrong: readonly unknown[] = [
      {},
      { client: {} },
      { client, registry: {} },
      { client, registry, prefix: 'no-dashes' },
      { client, registry, prefix: 'x', labels: { kind: 'taken' } },
      { client, registry, prefix: 'x', labels: { app: 1 } },
      { client, registry, prefix: 'x', endpoint: true },
    ]
    for (const options of wrong) throws(t, () => promMetrics(engine, options as PromOptions), 'ERR_INVALID_OPTION')
    throws(t, () => promMetrics({} as Engine, { client }), 'ERR_INVALID_OPTION')
    t.true(
      registry.getMetricsAsArray().every(({ name }) => name.startsWith(P)),
      'a refused call leaves nothing',
    )
  })
})
