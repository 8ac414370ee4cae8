import { once } from 'node:events'
import { inspect } from 'node:util'
import test from 'ava'
import * as Comlink from 'comlink'
import { TransportError } from '../../../engine/protocol/errors.js'
import { callAny, callPair, isReferenced, over } from '../../helpers/call-pair.js'
import { signal, turns, until } from '../../helpers/turns.js'
import { failOnWarnings } from '../../helpers/warnings.js'

failOnWarnings()

const never = () => new Promise<void>(() => undefined)

test('a call resolves with what the function returns, or with what its promise does', async (t) => {
  const pair = callPair({
    add: (a: number, b: number) => a + b,
    later: async (text: string) => {
      await turns()
      return { text, bytes: new Uint8Array([1, 2]), at: new Map([[1, undefined]]) }
    },
    nothing: () => undefined,
  })
  try {
    t.is(await pair.proxy.add(1, 2), 3)
    t.deepEqual(await pair.proxy.later('x'), {
      text: 'x',
      bytes: new Uint8Array([1, 2]),
      at: new Map([[1, undefined]]),
    })
    t.deepEqual(await Promise.all([pair.proxy.nothing()]), [undefined])
  } finally {
    pair.end()
  }
})

test('functions see the object that they belong to', async (t) => {
  const counter = {
    count: 0,
    next() {
      return ++this.count
    },
  }
  const pair = callPair<{ next(): number }>(counter)
  try {
    await pair.proxy.next()
    t.is(await pair.proxy.next(), 2)
    t.is(counter.count, 2)
  } finally {
    pair.end()
  }
})

test('calls begin in the order in which they were made, and each gets its own answer', async (t) => {
  const begun: number[] = []
  const held = signal()
  const pair = callPair({
    take: async (i: number) => {
      begun.push(i)
      if (i % 2 === 0) await held.promise
      return i
    },
  })
  try {
    const calls = Array.from({ length: 100 }, (_, i) => pair.proxy.take(i))
    t.is(await calls[99], 99)
    t.deepEqual(
      begun,
      calls.map((_, i) => i),
    )
    held.resolve()
    t.deepEqual(await Promise.all(calls), begun)
  } finally {
    pair.end()
  }
})

test('an unknown name rejects, and the message lists the names that there are', async (t) => {
  const pair = callPair({ lookup: () => 1, save: () => 2 })
  const none = callPair({})
  const many = callPair(Object.fromEntries(Array.from({ length: 30 }, (_, i) => [`f${String(i)}`, () => i])))
  try {
    await t.throwsAsync(callAny(pair.proxy, 'lookpu'), {
      instanceOf: TransportError,
      code: 'ERR_INVALID_OPTION',
      message: 'there is no function "lookpu" to call. There are: lookup, save.',
    })
    await t.throwsAsync(callAny(none.proxy, 'x'.repeat(1_000)), { message: /^.{64,110} There is none\.$/ })
    await t.throwsAsync(callAny(many.proxy, 'g'), { message: /: f0, .*f19 and 10 more\.$/ })
  } finally {
    for (const { end } of [pair, none, many]) end()
  }
})

test('only own, enumerable functions can be called', async (t) => {
  class Host {
    readonly own = () => 1
    readonly value = 'no function'
    inherited() {
      return 2
    }
  }
  const host = Object.defineProperty(new Host(), 'hidden', { value: () => 3, enumerable: false })
  const pair = callPair<{ own(): number }>(host)
  try {
    t.is(await pair.proxy.own(), 1)
    for (const name of ['inherited', 'hidden', 'value', 'call', 'bind', 'apply'])
      await t.throwsAsync(callAny(pair.proxy, name), { code: 'ERR_INVALID_OPTION', message: /There are: own\.$/ })
  } finally {
    pair.end()
  }
})

test('names that JavaScript asks every object for are never called', async (t) => {
  const called: string[] = []
  const names = ['then', 'toJSON', 'constructor', '__proto__', 'toString', 'valueOf', 'hasOwnProperty']
  const functions = Object.fromEntries(names.map((name) => [name, () => called.push(name)]))
  const pair = callPair(functions)
  try {
    const { iterator, asyncIterator, toPrimitive, toStringTag } = Symbol
    for (const key of [...names, iterator, asyncIterator, toPrimitive, toStringTag])
      t.false(typeof Reflect.get(pair.proxy, key) === 'function', String(key))
    t.is(await Promise.resolve(pair.proxy), pair.proxy)
    t.is(await (async () => Promise.resolve(pair.proxy))(), pair.proxy)
    t.is(JSON.stringify({ host: pair.proxy }), '{"host":{}}')
    t.throws(() => String(pair.proxy as unknown), { instanceOf: TypeError })
    t.regex(inspect(pair.proxy), /\[Object: null prototype\] \{\}/)
    t.deepEqual([called, pair.pending], [[], 0])
  } finally {
    pair.end()
  }
})

test('the proxy has functions, and nothing can be added to it', (t) => {
  const pair = callPair({ lookup: () => 1 })
  try {
    t.is(typeof pair.proxy.lookup, 'function')
    t.deepEqual(Object.keys(pair.proxy), [])
    t.false(Object.isExtensible(pair.proxy))
    t.false(Reflect.set(pair.proxy, 'lookup', 1))
    t.false(Reflect.defineProperty(pair.proxy, 'other', { value: 1 }))
    t.is(typeof pair.proxy.lookup, 'function')
  } finally {
    pair.end()
  }
})

test('past its bound a call is refused, until another has its answer', async (t) => {
  const held = signal()
  const pair = callPair({ wait: () => held.promise }, { maxPending: 2 })
  try {
    const calls = [pair.proxy.wait(), pair.proxy.wait()]
    t.is(pair.pending, 2)
    await t.throwsAsync(pair.proxy.wait(), {
      instanceOf: TransportError,
      code: 'ERR_BACKPRESSURE',
      message: 'context.host: 2 calls wait for an answer already. Await some before you make more.',
    })
    t.is(pair.pending, 2)
    held.resolve()
    await Promise.all(calls)
    t.is(pair.pending, 0)
    await t.notThrowsAsync(pair.proxy.wait())
  } finally {
    pair.end()
  }
})

test('1,024 calls can wait by default', async (t) => {
  const pair = callPair({ wait: never })
  const calls = Array.from({ length: 1_025 }, () => pair.proxy.wait())
  await t.throwsAsync(calls[1_024] ?? never(), { code: 'ERR_BACKPRESSURE' })
  t.is(pair.pending, 1_024)
  pair.end()
  for (const { status } of await Promise.allSettled(calls)) if (status !== 'rejected') t.fail(status)
})

test('close() rejects pending calls and later ones with its error, and closes the port', async (t) => {
  const pair = callPair({ wait: never })
  const closed = once(pair.serving, 'close')
  const error = new TransportError('ERR_SHARD_LOST', 'died')
  const calls = [pair.proxy.wait(), pair.proxy.wait()]
  pair.close(error)
  pair.close(over)
  for (const call of [...calls, pair.proxy.wait()]) t.is(await t.throwsAsync(call), error)
  t.is(pair.pending, 0)
  await closed
})

test('a call after close() rejects, and so does one whose function answers too late', async (t) => {
  const held = signal()
  const begun = signal()
  const pair = callPair({
    wait: () => {
      begun.resolve()
      return held.promise
    },
  })
  const call = pair.proxy.wait()
  await begun.promise
  pair.close(over)
  held.resolve()
  t.is(await t.throwsAsync(call), over)
  await turns(3)
  t.is(await t.throwsAsync(pair.proxy.wait()), over)
  pair.end()
})

test('calls end when the other end has gone without a word', async (t) => {
  const pair = callPair({ wait: never })
  const call = pair.proxy.wait()
  pair.serving.close()
  await t.throwsAsync(call, {
    code: 'ERR_CLOSED',
    message: 'context.host: the other thread takes no calls any more.',
  })
  await t.throwsAsync(pair.proxy.wait(), { code: 'ERR_CLOSED' })
  const own = new Error('mine')
  const other = callPair({ wait: never }, { onEnd: () => own })
  other.serving.close()
  t.is(await t.throwsAsync(other.proxy.wait()), own)
})

test('an argument that cannot be copied rejects its call alone, and is named', async (t) => {
  const seen: unknown[] = []
  const pair = callPair({ take: (...args: unknown[]) => seen.push(...args) })
  try {
    const error = await t.throwsAsync(pair.proxy.take(1, { on: () => undefined }), {
      instanceOf: TransportError,
      code: 'ERR_INVALID_OPTION',
      message: /^context\.host: argument 2 of take\(\) cannot be copied to another thread\. /,
    })
    t.is((error.cause as Error).name, 'DataCloneError')
    t.is(error instanceof TransportError ? error.endpoint : undefined, 'memory:x')
    await t.throwsAsync(pair.proxy.take(pair.calling), { message: /argument 1 of/ })
    let reads = 0
    const moody = {
      get value() {
        if (reads++ === 0) throw new Error('not now')
        return 1
      },
    }
    await t.throwsAsync(pair.proxy.take(moody), { message: /: the arguments of take\(\)/ })
    t.deepEqual([seen, pair.pending, isReferenced(pair.calling)], [[], 0, false])
    t.is(await pair.proxy.take('x'), 1)
  } finally {
    pair.end()
  }
})

test('a transfer handler of the host that fails rejects its call alone', async (t) => {
  const marked = Symbol('marked')
  const cause = new Error('faulty')
  Comlink.transferHandlers.set('faulty', {
    canHandle: (value): value is unknown => {
      if (Array.isArray(value) && value.includes(marked)) throw cause
      return false
    },
    serialize: (value) => [value, []],
    deserialize: (value) => value,
  })
  const pair = callPair({ take: (value: unknown) => typeof value })
  try {
    const error = await t.throwsAsync(pair.proxy.take(marked), { code: 'ERR_INVALID_OPTION' })
    t.is(error.cause, cause)
    t.is(pair.pending, 0)
    t.is(await pair.proxy.take('x'), 'string')
  } finally {
    pair.end()
    Comlink.transferHandlers.delete('faulty')
  }
})

test('a result that cannot be copied rejects its call alone', async (t) => {
  const pair = callPair({ make: () => () => undefined, fine: () => 1 })
  try {
    await t.throwsAsync(pair.proxy.make(), {
      instanceOf: TransportError,
      code: 'ERR_HANDLER',
      message: /^context\.host: make\(\) returned what cannot be copied to another thread\. /,
    })
    t.is(await pair.proxy.fine(), 1)
    t.is(pair.pending, 0)
  } finally {
    pair.end()
  }
})

test('a port keeps its thread alive only while a call waits for its answer', async (t) => {
  const held = signal()
  const pair = callPair({ wait: () => held.promise })
  try {
    const ports = () => [isReferenced(pair.calling), isReferenced(pair.serving)]
    t.deepEqual(ports(), [false, false])
    const calls = [pair.proxy.wait(), pair.proxy.wait()]
    t.deepEqual(ports(), [true, false])
    held.resolve()
    await Promise.all(calls)
    t.deepEqual(ports(), [false, false])
  } finally {
    pair.end()
  }
})

test('what a thread cannot read ends the calls that it may have been for', async (t) => {
  const pair = callPair({ wait: never, fine: () => 1 })
  const emit = (port: object): unknown => (port as NodeJS.EventEmitter).emit('messageerror', new Error('no memory'))
  const call = pair.proxy.wait()
  emit(pair.calling)
  await t.throwsAsync(call, { code: 'ERR_IO', message: 'context.host: an answer could not be read.' })
  t.is(await pair.proxy.fine(), 1)
  const other = pair.proxy.wait()
  emit(pair.serving)
  await t.throwsAsync(other, { code: 'ERR_CLOSED' })
  await until(() => pair.pending === 0)
})
