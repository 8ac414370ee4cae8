/** connect() aborted at any moment, and listeners that take no more than their limits. */
import { subscribe, unsubscribe } from 'node:diagnostics_channel'
import type { Connection, TransportError } from '../../api/index.js'
import { rejects } from '../helpers/expected-errors.js'
import { turns, until } from '../helpers/turns.js'
import type { Contract } from './contract.js'
import type { World } from './contract-world.js'

/** The smallest queue that a listener can have. */
const QUEUED = 16
/** So many that have not shaken hands the shard holds, behind those that are queued. */
const UNSHAKEN = 16

/** The events of an endpoint's listeners, in order. */
function watchListener(endpoint: string): { readonly events: string[]; readonly stop: () => void } {
  const events: string[] = []
  const watched = ['opened', 'closed', 'paused', 'resumed', 'refused'].map((event) => {
    const name = `symphony-transport:listener.${event}`
    const onNotify = (message: unknown): void => {
      if ((message as { endpoint: string }).endpoint === endpoint) events.push(event)
    }
    subscribe(name, onNotify)
    return { name, onNotify }
  })
  return {
    events,
    stop: () => {
      for (const { name, onNotify } of watched) unsubscribe(name, onNotify)
    },
  }
}

function releasedAll(world: World): boolean {
  const { dials, connections, lanes } = world.engine.stats().ledger.byKind
  return [dials, connections, lanes].every(({ opened, released }) => opened === released)
}

export function limitTests({ test, testIf, transport: subject }: Contract): void {
  const isListener = subject.listenerKind === undefined
  const held = subject.shakesHands === true ? UNSHAKEN : 0
  const testListener = testIf(isListener)

  for (const way of ['aborted', 'timed out'] as const) {
    test(`a connect that is ${way} after any number of turns leaves nothing behind`, async (t, world) => {
      const transport = await world.transport()
      const listener = await world.listen(transport, (connection) => void connection.close())
      let given = 0
      for (let delay = 0; delay <= 30; delay += subject.costly === true ? 6 : 1) {
        const abort = new AbortController()
        const timeoutMs = delay / 8
        const connecting = transport.connect(way === 'aborted' ? { signal: abort.signal } : { timeoutMs })
        const outcome = connecting.then(
          (connection) => {
            connection.destroy()
            return connection.closed.then(() => undefined)
          },
          (error: unknown) => (error as TransportError).code,
        )
        await turns(delay)
        abort.abort()
        const code = await outcome
        if (code === undefined) continue
        given++
        t.is(code, way === 'aborted' ? 'ERR_ABORTED' : 'ERR_TIMEOUT')
      }
      // One that is aborted at once always rejects; whether a timer is faster depends on the machine.
      if (way === 'aborted') t.true(given > 0)
      t.is(world.engine.stats().pendingConnects, 0)
      await listener.close()
      await until(() => releasedAll(world))
      t.is(world.engine.stats().connections, 0)
    })
  }

  testListener('maxConnections cuts the surplus, counts it, and makes room when one closes', async (t, world) => {
    const transport = await world.transport({ maxConnections: 3 })
    const { endpoint } = transport
    const watch = watchListener(endpoint)
    const accepted: Connection[] = []
    try {
      const listener = await world.listen(transport, (connection) => accepted.push(connection))
      for (let i = 0; i < 3; i++) await world.connect(transport)
      await until(() => accepted.length === 3)
      for (let i = 0; i < 5; i++) {
        const surplus = await world.connect(transport)
        const { code } = await surplus.closed
        t.true(code === 'OK' || code === 'ERR_RESET', code)
      }
      t.deepEqual(listener.stats(), { accepted: 3, open: 3, queued: 0, refused: 5 })
      accepted[1]?.destroy()
      await accepted[1]?.closed
      t.is(listener.stats().open, 2)
      const fourth = await world.connect(transport)
      await until(() => accepted.length === 4)
      fourth.send('welcome')
      t.is(String(await accepted[3]?.receive()), 'welcome')
      t.deepEqual(listener.stats(), { accepted: 4, open: 3, queued: 0, refused: 5 })
      await listener.close()
      t.deepEqual(watch.events, ['opened', ...Array<string>(5).fill('refused'), 'closed'])
    } finally {
      watch.stop()
    }
  })

  testListener('maxConnections counts untaken connections too', async (t, world) => {
    const transport = await world.transport({ maxConnections: 2 })
    const listener = await world.listen(transport)
    await world.connect(transport)
    await world.connect(transport)
    await until(() => listener.stats().queued === 2)
    const surplus = await world.connect(transport)
    await surplus.closed
    t.deepEqual(listener.stats(), { accepted: 0, open: 0, queued: 2, refused: 1 })
  })

  testListener(
    'connections past maxQueuedConnections wait in the backlog, and all are served once the host accepts',
    async (t, world) => {
      const transport = await world.transport({ maxQueuedConnections: QUEUED })
      const watch = watchListener(transport.endpoint)
      const count = 5 * QUEUED
      try {
        const listener = await world.listen(transport)
        const connecting: Promise<void>[] = []
        for (let i = 0; i < count; i++) {
          connecting.push(world.connect(transport).then((connection) => void connection.send(String(i))))
          // They count as connected: connections that are not accepted wait in the backlog.
          if (subject.shakesHands !== true) await connecting[i]
          t.true(listener.stats().queued <= QUEUED)
        }
        await until(() => listener.stats().queued === QUEUED)
        await until(() => watch.events.includes('paused'))
        const words: string[] = []
        for (let i = 0; i < count; i++) {
          const connection = await world.next(listener)
          words.push(String(await connection.receive()))
          t.true(listener.stats().queued <= QUEUED)
          // Enough are left to fill the queue again: it is full again before the next connection is taken.
          if (i < 3 * QUEUED - held) await until(() => watch.events.at(-1) === 'paused')
        }
        await Promise.all(connecting)
        // Handshakes that go on at the same time end in any order.
        if (subject.shakesHands === true) words.sort((a, b) => Number(a) - Number(b))
        t.deepEqual(
          words,
          Array.from({ length: count }, (_, i) => String(i)),
        )
        await until(() => watch.events.at(-1) === 'resumed')
        t.deepEqual(listener.stats(), { accepted: count, open: count, queued: 0, refused: 0 })
        const changes = watch.events.slice(1)
        t.true(changes.length >= 4, 'more than one pause')
        changes.forEach((event, i) => t.is(event, i % 2 === 0 ? 'paused' : 'resumed'))
      } finally {
        watch.stop()
      }
    },
  )

  const testFull = testIf((subject.waitsWhenFull ?? true) && isListener)

  testFull('a dial that finds the backlog full is tried again, and succeeds once there is room', async (t, world) => {
    const transport = await world.transport({
      maxQueuedConnections: QUEUED,
      backlog: 1,
      connectTimeoutMs: 9_000,
    })
    const listener = await world.listen(transport)
    const connecting: Promise<Connection>[] = []
    // The queue takes this many, the backlog one or two; further ones must wait.
    for (let i = 0; i < QUEUED + held + 5; i++) connecting.push(world.connect(transport))
    await until(() => listener.stats().queued === QUEUED)
    await until(() => world.engine.stats().pendingConnects <= (held > 0 ? held + 5 : 4))
    // Long enough for a first attempt of each: another connection has gone to and fro meanwhile.
    const other = await world.pair()
    for (let i = 0; i < 20; i++) {
      other.dialled.send('ping')
      await other.accepted.receive()
    }
    t.true(world.engine.stats().pendingConnects >= held + 2, 'some wait')
    for (let left = connecting.length; left > 0; left--) await world.next(listener)
    t.is((await Promise.all(connecting)).length, QUEUED + held + 5)
  })

  testFull('a backlog that stays full is a retryable error', async (t, world) => {
    const transport = await world.transport({ maxQueuedConnections: QUEUED, backlog: 1 })
    const listener = await world.listen(transport)
    const waiting = new AbortController()
    const connecting = Array.from({ length: QUEUED + held + 4 }, async () =>
      transport.connect({ signal: waiting.signal }).then(
        (connection) => {
          world.keep(connection)
        },
        () => undefined,
      ),
    )
    await until(() => listener.stats().queued === QUEUED)
    const codes = new Set<string>()
    for (let i = 0; i < 4; i++) {
      const error: unknown = await transport.connect({ timeoutMs: 60 }).then(
        (connection) => {
          world.keep(connection)
        },
        (refused: unknown) => refused,
      )
      if (error === undefined) continue
      const { code, retryable, message } = error as TransportError
      codes.add(code)
      t.true(retryable)
      t.regex(message, /retry/i)
    }
    t.true([...codes].every((code) => code === 'ERR_BACKLOG_FULL' || code === 'ERR_TIMEOUT'))
    t.true(codes.size > 0)
    const abort = new AbortController()
    const aborted = rejects(t, transport.connect({ signal: abort.signal }), 'ERR_ABORTED')
    await turns(5)
    abort.abort()
    await aborted
    waiting.abort()
    await Promise.all(connecting)
    await listener.close()
    await until(() => {
      const { dials } = world.engine.stats().ledger.byKind
      return dials.opened === dials.released
    })
  })
}
