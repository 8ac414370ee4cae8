/** Handler modules that take their shard with them: what others notice of it, and how it comes back. */
import test, { type ExecutionContext } from 'ava'
import type { EngineOptions, ShardEvent } from '../../api/index.js'
import type { ConnectionClosedEvent, HandlerFailedEvent, ShardLostEvent } from '../../engine/common/diagnostics.js'
import { word } from '../fixtures/unruly-module.js'
import { EventLog, nextEvent } from '../helpers/faults.js'
import { signal, until } from '../helpers/turns.js'
import { Unruly } from '../helpers/unruly-listener.js'
import { failOnWarnings, WarningBook } from '../helpers/warnings.js'

const WATCHDOG_MS = 30_000
/** How soon a thread that is blocked is found. Shorter would accuse a healthy thread on a busy machine. */
const STUCK_TIMEOUT_MS = 250

failOnWarnings()

async function withUnruly(
  t: ExecutionContext,
  options: EngineOptions,
  body: (unruly: Unruly) => Promise<void>,
): Promise<void> {
  t.timeout(WATCHDOG_MS)
  const unruly = await Unruly.start(options)
  try {
    await body(unruly)
  } finally {
    t.is(await unruly.close(), 0)
  }
}

interface Death {
  readonly order: string
  readonly options?: EngineOptions
  /** Why the shard died, as its loss tells. */
  readonly cause: RegExp
}

const deaths: readonly Death[] = [
  { order: 'throw in a timer', cause: /misjudged/ },
  { order: 'reject unheard', cause: /nobody listens/ },
  { order: 'exit', cause: /exited with code/ },
  { order: 'fill the heap', options: { shardHeapMb: 32 }, cause: /memory/ },
  {
    order: 'block',
    options: { stuckTimeoutMs: STUCK_TIMEOUT_MS },
    cause: /did not answer for 250 ms .*it was running ponder at .*unruly-module.*:\d+/,
  },
]

for (const { order, options = {}, cause } of deaths) {
  test.serial(`${order}: the shard dies with its connections, the other goes on, and it comes back`, async (t) => {
    await withUnruly(t, { shards: 2, ...options }, async (unruly) => {
      const hung = signal()
      const listener = await unruly.listen({}, { host: { hang: () => (hung.resolve(), new Promise(() => undefined)) } })
      t.deepEqual(
        listener.handlers.map(({ shard, generation }) => [shard, generation]),
        [
          [0, 1],
          [1, 1],
        ],
      )
      const survivor = await unruly.connectTo('1.1')
      const companion = await unruly.connectTo('0.1')
      const victim = await unruly.connectTo('0.1')
      const [victims = -1, rest = -1] = unruly.engine.stats().shards.map(({ handlers }) => handlers.connections)
      // A call each way that is pending.
      const pending = t.throwsAsync(async () => listener.handlers[0]?.api.hang(), { code: 'ERR_SHARD_LOST' })
      companion.tell('call for ever')
      await hung.promise

      const log = new EventLog('connection.closed')
      const restored = nextEvent<ShardEvent>('shard.restored')
      const lost = nextEvent<ShardLostEvent>('shard.lost')
      try {
        victim.tell(order)
        const { shard, error } = await lost
        t.is(shard, 0)
        t.true(error.cause instanceof Error)
        t.regex(String(error.cause), cause)
        t.deepEqual([await victim.reply(), await companion.reply()], [undefined, undefined])
        await pending
        t.is(listener.stats().open, rest)
        t.is(await survivor.ask('still here'), 'still here')
        const closed = log.of<ConnectionClosedEvent>('connection.closed')
        t.is(closed.length, victims)
        t.true(closed.every((event) => event.code === 'ERR_SHARD_LOST' && event.shard === 0))
      } finally {
        log.stop()
      }
      await restored
      await until(() => listener.handlers.length === 2)
      t.deepEqual(
        listener.handlers.map(({ shard, generation }) => [shard, generation]),
        [
          [0, 2],
          [1, 1],
        ],
      )
      t.is(unruly.count('SETUPS'), 3)
      const next = await unruly.connectTo('0.2')
      t.is(await next.ask('hello'), 'hello')
      t.is(await listener.handlers[0]?.api.life(), '0.2')
      t.is(await survivor.life(), '1.1')
      t.deepEqual(unruly.failures.take(), [])
    })
  })
}

test.serial(
  'a module that cannot be set up in a later life is reported each time, and tried again until it can',
  async (t) => {
    await withUnruly(t, { shards: 1 }, async (unruly) => {
      const listener = await unruly.listen()
      Atomics.store(unruly.words, word.FAILING_SETUPS, 2)
      const log = new EventLog('handler.failed')
      try {
        const peer = await unruly.connect()
        peer.tell('exit')
        t.is(await peer.reply(), undefined)
        await until(() => listener.handlers[0]?.generation === 2)
        const failed = log.of<HandlerFailedEvent>('handler.failed')
        t.deepEqual(
          failed.map(({ shard, generation, connection, endpoint }) => [shard, generation, connection, endpoint]),
          Array.from({ length: 2 }, () => [0, 2, undefined, listener.endpoint]),
        )
        t.regex(String(failed[0]?.error.cause), /failed in its setup\(\): not ready yet/)
        const told = unruly.failures.take()
        t.deepEqual(
          told.map(({ error, context }) => [error.code, context.where]),
          Array.from({ length: 2 }, () => ['ERR_HANDLER', 'setup']),
        )
        t.is(await (await unruly.connect()).life(), '0.2')
      } finally {
        log.stop()
      }
    })
  },
)

test.serial(
  'a module that blocks its thread while it is set up ends with the shard, and says what it was doing',
  async (t) => {
    await withUnruly(t, { shards: 1, stuckTimeoutMs: STUCK_TIMEOUT_MS }, async (unruly) => {
      const lost = nextEvent<ShardLostEvent>('shard.lost')
      const restored = nextEvent('shard.restored')
      await t.throwsAsync(unruly.listen({ setup: 'block' }), { code: 'ERR_SHARD_LOST' })
      t.regex(String((await lost).error.cause), /it was running ponder at .*unruly-module/)
      await restored
      await unruly.listen()
      t.is(await (await unruly.connect()).life(), '0.2')
    })
  },
)

test.serial('shards that are given up leave the listener to the other, and the last one closes it', async (t) => {
  const warnings = new WarningBook()
  const closed = nextEvent<{ readonly code: string }>('listener.closed')
  try {
    await withUnruly(t, { shards: 2, restart: { max: 0 } }, async (unruly) => {
      const listener = await unruly.listen()
      const victim = await unruly.connectTo('0.1')
      const survivor = await unruly.connectTo('1.1')
      victim.tell('exit')
      t.is((await warnings.next()).code, 'SYMPHONY_SHARD_GIVEN_UP')
      t.deepEqual(
        listener.handlers.map(({ shard }) => shard),
        [1],
      )
      t.is(await survivor.ask('hello'), 'hello')
      t.is(await (await unruly.connect()).life(), '1.1')
      survivor.tell('throw in a timer')
      t.is((await listener.closed).code, 'ERR_SHARD_LOST')
      t.is((await closed).code, 'ERR_SHARD_LOST')
      t.is((await warnings.next()).code, 'SYMPHONY_SHARD_GIVEN_UP')
      t.deepEqual(listener.handlers, [])
      t.is(listener.stats().open, 0)
    })
  } finally {
    warnings.close()
  }
})
