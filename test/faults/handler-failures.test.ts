/** Handler modules that fail over single connections: the shard and its other connections go on. */
import test, { type ExecutionContext } from 'ava'
import type { EngineOptions, HandlerFailedEvent } from '../../api/index.js'
import type { ConnectionClosedEvent } from '../../engine/common/diagnostics.js'
import { byLength } from '../helpers/length.js'
import { EventLog, nextEvent } from '../helpers/faults.js'
import { until } from '../helpers/turns.js'
import { Unruly } from '../helpers/unruly-listener.js'
import { failOnWarnings, WarningBook } from '../helpers/warnings.js'

const WATCHDOG_MS = 30_000
/** Connections that all fail. */
const FAILING = byLength({ short: 500, long: 3_000 })
/** At a time. */
const AT_ONCE = 50
const MOST_GROWN_BYTES = 32 * 2 ** 20

failOnWarnings()

async function withUnruly(
  t: ExecutionContext,
  body: (unruly: Unruly) => Promise<void>,
  options: EngineOptions = { shards: 1 },
): Promise<void> {
  t.timeout(WATCHDOG_MS)
  const unruly = await Unruly.start(options)
  try {
    await body(unruly)
  } finally {
    t.is(await unruly.close(), 0)
  }
}

for (const [order, where, thrown] of [
  ['throw', 'subscriber', 'misjudged'],
  ['reject', 'subscriber', 'changed its mind'],
] as const) {
  test.serial(`${order}: a subscriber in a shard that fails ends its connection, and no other`, async (t) => {
    await withUnruly(t, async (unruly) => {
      const listener = await unruly.listen()
      const [victim, bystander] = [await unruly.connect(), await unruly.connect()]
      t.is(await bystander.ask('hello'), 'hello')
      const failed = nextEvent<HandlerFailedEvent>('handler.failed')
      const closed = nextEvent<ConnectionClosedEvent>('connection.closed')
      t.is(await victim.ask(order), undefined)
      const { error, shard, generation, connection } = await failed
      t.deepEqual([shard, generation, (await closed).id, (await closed).code], [0, 1, connection, 'ERR_HANDLER'])
      const { cause } = error
      t.true(cause instanceof Error && cause.message === thrown)
      t.regex(cause instanceof Error ? (cause.stack ?? '') : '', /unruly-module/)
      t.deepEqual(unruly.failures.takeTold(), [`${where}: ${thrown}`])
      t.is(await bystander.ask('still here'), 'still here')
      t.is(listener.stats().open, 1)
    })
  })
}

test.serial(
  'a subscriber in a shard that fails after its connection has closed is reported all the same',
  async (t) => {
    await withUnruly(t, async (unruly) => {
      await unruly.listen()
      const [victim, bystander] = [await unruly.connect(), await unruly.connect()]
      const failed = nextEvent<HandlerFailedEvent>('handler.failed')
      victim.tell('reject when closed')
      t.regex((await failed).error.message, /after its connection had closed/)
      t.deepEqual(unruly.failures.takeTold(), ['subscriber: misjudged'])
      t.is(await bystander.ask('hello'), 'hello')
    })
  },
)

for (const serve of ['throw', 'reject'] as const) {
  test.serial(`${serve}: a module that fails with each connection floods nobody`, async (t) => {
    await withUnruly(t, async (unruly) => {
      const listener = await unruly.listen({ serve })
      const before = process.memoryUsage()
      for (let i = 0; i < FAILING; i += AT_ONCE) {
        const peers = await Promise.all(Array.from({ length: AT_ONCE }, () => unruly.connect()))
        await Promise.all(peers.map((peer) => peer.reply()))
      }
      await until(() => listener.stats().open === 0)
      t.is(listener.stats().accepted, FAILING)
      const { connections, handlers } = unruly.engine.stats().shards[0] ?? {}
      t.deepEqual([connections, handlers?.connections], [0, 0])
      const now = process.memoryUsage()
      t.true(now.arrayBuffers - before.arrayBuffers < MOST_GROWN_BYTES)
      const told = unruly.failures.take()
      t.true(told.length > 0 && told.length <= FAILING)
      t.true(told.every(({ context }) => context.where === 'module' && context.connection !== undefined))
    })
  })
}

test.serial('without onError there is one warning for each place in the module that fails', async (t) => {
  const warnings = new WarningBook()
  try {
    await withUnruly(t, async (unruly) => {
      await unruly.listen({}, { warns: true })
      for (const order of ['throw', 'throw', 'reject', 'throw']) {
        const peer = await unruly.connect()
        t.is(await peer.ask(order), undefined)
      }
      const [first, second] = [await warnings.next(), await warnings.next()]
      t.deepEqual([first.code, second.code], ['SYMPHONY_HANDLER_FAILED', 'SYMPHONY_HANDLER_FAILED'])
      t.regex(first.message, /Error: misjudged$/)
      t.regex(first.detail ?? '', /unruly-module/)
      t.regex(second.message, /Error: changed its mind/)
    })
    // Of the others the last one tells how many they were.
    const rest = await warnings.rest()
    t.true(rest.length <= 1)
  } finally {
    warnings.close()
  }
})

test.serial(
  'a module that sends to a peer that reads nothing loses that connection alone, and bounded memory',
  async (t) => {
    const maxRingBytes = 131_072
    await withUnruly(
      t,
      async (unruly) => {
        const listener = await unruly.listen()
        const bystander = await unruly.connect()
        t.is(await bystander.ask('hello'), 'hello')
        for (let i = 0; i < 5; i++) {
          const greedy = await unruly.connect()
          greedy.socket.pause()
          const failed = nextEvent<HandlerFailedEvent>('handler.failed')
          greedy.tell('flood')
          await failed
          greedy.socket.destroy()
        }
        await until(() => listener.stats().open === 1)
        const told = unruly.failures.take()
        t.is(told.length, 5)
        t.true(
          told.every(
            ({ error }) => error.cause instanceof Error && Reflect.get(error.cause, 'code') === 'ERR_BACKPRESSURE',
          ),
        )
        t.is(await bystander.ask('still here'), 'still here')
        await until(() => (unruly.engine.stats().shards[0]?.ringMemoryInUseBytes ?? Infinity) <= 2 * maxRingBytes)
      },
      { shards: 1, maxRingBytes },
    )
  },
)

test.serial('a thousand connects and disconnects leave nothing', async (t) => {
  await withUnruly(t, async (unruly) => {
    const listener = await unruly.listen()
    const log = new EventLog('connection.opened', 'connection.closed')
    try {
      const count = byLength({ short: 300, long: 1_000 })
      for (let i = 0; i < count; i += 25) {
        const peers = await Promise.all(Array.from({ length: 25 }, () => unruly.connect()))
        for (const [n, { socket }] of peers.entries()) {
          if (n % 2 === 0) socket.destroy()
          else socket.end()
        }
      }
      await until(() => listener.stats().accepted === count && listener.stats().open === 0)
      await listener.close()
      await until(() => listener.handlers.length === 0)
      t.is(log.of('connection.opened').length, log.of('connection.closed').length)
      const { connections, lanes, regions, handlers } = unruly.engine.stats().ledger.byKind
      for (const { open } of [connections, lanes, regions, handlers]) t.is(open, 0)
      t.is(unruly.count('TEARDOWNS'), 1)
    } finally {
      log.stop()
    }
  })
})
