/** Many small frames in one turn, by the sending half alone: the ring has 4096 bytes and does not grow. */
import vm from 'node:vm'
import test from 'ava'
import type { Frame } from '../../../engine/common/frame.js'
import { throws } from '../../helpers/expected-errors.js'
import { publishBytes } from '../../helpers/lane-fixture.js'
import { LoneConnection } from '../../helpers/lone-connection.js'
import { withoutMemory } from '../../helpers/scarce-memory.js'

/** What lies in the ring. */
function content(lone: LoneConnection): Buffer {
  lone.connection.ready().catch(() => undefined)
  const bytes = Buffer.alloc(lone.consumer.refresh())
  lone.consumer.read(bytes, 0, bytes.length)
  return bytes
}

function framed(...texts: string[]): Buffer {
  return Buffer.concat(
    texts.map((text) => Buffer.concat([Buffer.from(Uint32Array.of(text.length).buffer), Buffer.from(text)])),
  )
}

/** An array whose second element is made when it is looked at. */
function computed(first: Frame, second: () => Frame): Frame[] {
  return Object.defineProperty([first, 'to be replaced'], 1, { get: second })
}

test('an element that sends a frame while it is looked at sends it before the batch', async (t) => {
  for (const inner of [['inner'], [Buffer.from('inner')]]) {
    const lone = new LoneConnection()
    const { connection } = lone
    let looks = 0
    const batch = computed(Buffer.from('one'), () => {
      if (looks++ === 0) connection.sendBatch(inner)
      return Buffer.from('two')
    })
    t.true(connection.sendBatch(batch))
    await Promise.resolve()
    t.deepEqual(content(lone), framed('inner', 'one', 'two'))
    t.is(connection.info.framesSent, 3)
  }
})

test('an element that ends the connection while it is looked at has the batch refused', async (t) => {
  const lone = new LoneConnection()
  const batch = computed(Buffer.from('one'), () => {
    void lone.connection.end()
    return Buffer.from('two')
  })
  throws(t, () => lone.connection.sendBatch(batch), 'ERR_CLOSED')
  await Promise.resolve()
  t.deepEqual(content(lone), framed())
  t.is(lone.connection.info.framesSent, 0)
})

test('an element that cannot be read is an invalid frame, and says which one', (t) => {
  const lone = new LoneConnection()
  const cause = new Error('unreadable')
  const batch = computed('one', () => {
    throw cause
  })
  const error = throws(t, () => lone.connection.sendBatch(batch), 'ERR_INVALID_FRAME')
  t.is(error.cause, cause)
  t.regex(error.message, /^frame 1 of a batch/)
})

test('what only looks like bytes, or has lost its memory, is refused; bytes of another realm are taken', async (t) => {
  const lost = new Uint8Array(8)
  structuredClone(lost.buffer, { transfer: [lost.buffer] })
  const wrong: unknown[] = [
    lost,
    new Proxy(Buffer.from('x'), {}),
    Object.create(Uint8Array.prototype),
    new DataView(new ArrayBuffer(8)),
  ]
  const lone = new LoneConnection()
  for (const value of wrong)
    throws(t, () => lone.connection.sendBatch([Buffer.from('good'), value as Frame]), 'ERR_INVALID_FRAME')
  const foreign = vm.runInNewContext('Uint8Array.of(104, 105)') as Uint8Array
  t.true(lone.connection.sendBatch([foreign, new Uint8Array(0), Buffer.from('bytes')]))
  await Promise.resolve()
  t.deepEqual(content(lone), framed('hi', '', 'bytes'))
})

test('a batch is bounded by maxPendingBytes, one frame in front of an empty queue is not', async (t) => {
  const lone = new LoneConnection({ maxPendingBytes: 10_000 })
  const { connection } = lone
  const frames = (count: number): Buffer[] => Array.from({ length: count }, () => Buffer.alloc(996))
  throws(t, () => connection.sendBatch(frames(20)), 'ERR_BACKPRESSURE')
  t.is(connection.pendingBytes, 0)
  t.false(connection.sendBatch([Buffer.alloc(20_000)]))
  throws(t, () => connection.sendBatch(frames(1)), 'ERR_BACKPRESSURE')
  t.is(connection.info.framesSent, 1)
  for (let left = connection.pendingBytes; left > 0; left = connection.pendingBytes) {
    lone.takeAll()
    connection.onNotify()
    await Promise.resolve()
  }
  t.false(connection.sendBatch(frames(14)))
  t.is(connection.info.framesSent, 15)
})

test('what connections send in one turn lies in the ring of each, in order', async (t) => {
  const lanes = Array.from({ length: 3 }, () => new LoneConnection())
  const sent: string[][] = lanes.map(() => [])
  for (let i = 0; i < 60; i++) {
    const at = ((i * i) % 7) % 3
    const text = String(i).repeat(1 + (i % 4))
    sent[at]?.push(text)
    if (i % 5 === 0) lanes[at]?.connection.sendBatch([text])
    else lanes[at]?.connection.send(i % 9 === 0 ? text : Buffer.from(text))
    if (i % 11 === 0) t.true((lanes[at]?.connection.pendingBytes ?? 0) > 0)
  }
  await Promise.resolve()
  for (const [i, lone] of lanes.entries()) t.deepEqual(content(lone), framed(...(sent[i] ?? [])))
})

test('lent frames that are sent on lie in order between others', async (t) => {
  const texts = ['x', 'y'.repeat(200), 'z'.repeat(500)]
  const onward = {
    views: ({ connection }: LoneConnection) => {
      const forward = (frame: Buffer): void => {
        for (const each of [frame, 'and', frame]) connection.send(each)
      }
      connection.subscribe(forward, { borrow: true })
    },
    batches: ({ connection }: LoneConnection) => {
      connection.subscribeBatch((batch) => {
        for (const frame of batch) connection.sendBatch([frame, Buffer.from('and'), frame])
      })
    },
  }
  for (const read of Object.values(onward)) {
    const lone = new LoneConnection()
    read(lone)
    publishBytes(lone.producer, framed(...texts))
    lone.connection.onNotify()
    await Promise.resolve()
    t.deepEqual(content(lone), framed(...texts.flatMap((text) => [text, 'and', text])))
  }
})

test('frames of a connection that is destroyed in the turn in which it sent them go nowhere else', async (t) => {
  const gone = new LoneConnection()
  const other = new LoneConnection()
  for (let i = 0; i < 5; i++) gone.connection.send(Buffer.from('lost'))
  gone.connection.destroy()
  for (let i = 0; i < 3; i++) other.connection.send(Buffer.from('kept'))
  await Promise.resolve()
  t.deepEqual(content(other), framed('kept', 'kept', 'kept'))
})

test.serial('a batch for which there is no memory is refused whole', (t) => {
  const { connection } = new LoneConnection()
  const batch = Array.from({ length: 100 }, () => Buffer.alloc(1000))
  const error = throws(t, () => withoutMemory(4096, () => connection.sendBatch(batch)), 'ERR_OUT_OF_MEMORY')
  t.is(error.endpoint, 'memory:x')
  t.is(connection.info.framesSent, 0)
  t.is(connection.pendingBytes, 0)
  t.true(connection.sendBatch(['small', 'too']))
})

interface Resizable extends ArrayBuffer {
  resize(length: number): void
}

function resizable(length: number): Resizable {
  const options = { maxByteLength: 10_000 }
  return Reflect.construct(ArrayBuffer, [length, options]) as Resizable
}

/** Pass for a Uint8Array until they are looked into, which runs `onLook`. */
function guises(onLook: () => void): Uint8Array[] {
  const bytes = Buffer.from('three')
  const proxy = new Proxy(bytes, {
    get: (_, name) => {
      if (name === '0') onLook()
      return Reflect.get(bytes, name) as unknown
    },
  })
  const view = Object.defineProperties(new DataView(new ArrayBuffer(5)), { length: { value: 5 }, 0: { get: onLook } })
  return [proxy, Object.setPrototypeOf(view, Uint8Array.prototype) as Uint8Array]
}

test('what only looks like bytes is no frame, and no code of its own runs between the frames of a turn', async (t) => {
  const lone = new LoneConnection()
  const other = new LoneConnection()
  const { connection } = lone
  other.connection.send(Buffer.from('first'))
  connection.send(Buffer.from('one'))
  connection.send(Buffer.from('two'))
  for (const frame of guises(() => other.connection.send(Buffer.from('inner'))))
    throws(t, () => connection.send(frame), 'ERR_INVALID_FRAME')
  connection.send(Buffer.from('four'))
  await Promise.resolve()
  t.deepEqual(content(lone), framed('one', 'two', 'four'))
  t.deepEqual(content(other), framed('first'))
})

test('an element that changes how long one before it is has the batch refused', async (t) => {
  for (const [length, newLength] of [
    [100, 0],
    [100, 50],
    [100, 5_000],
    [6_000, 100],
    [6_000, 7_000],
  ] as const) {
    const lone = new LoneConnection({ tracking: { retainBytes: 0 } })
    const { connection } = lone
    const memory = resizable(length)
    const batch = computed(new Uint8Array(memory), () => {
      memory.resize(memory.byteLength === length ? newLength : length)
      return 'text'
    })
    throws(t, () => connection.sendBatch(batch), 'ERR_INVALID_FRAME')
    t.is(connection.info.framesSent, 0)
    t.is(connection.pendingBytes, 0)
    connection.send('next')
    await Promise.resolve()
    t.deepEqual(content(lone), framed('next'))
  }
})

test('a frame whose parts end the connection while they are looked at is refused', async (t) => {
  const lone = new LoneConnection()
  const { connection } = lone
  connection.send('sent')
  const parts = computed('one', () => {
    void connection.end()
    return 'two'
  }) as string[]
  throws(t, () => connection.send(parts), 'ERR_CLOSED')
  await Promise.resolve()
  t.deepEqual(content(lone), framed('sent'))
})
