/** A connection as an emitter: the events of a socket, in their order. */
import { once } from 'node:events'
import process from 'node:process'
import { toEmitter } from '../../../api/adapters/index.js'
import { TransportError } from '../../../api/index.js'
import { nameOf } from '../../../engine/common/describe.js'
import { adapterPairs } from '../../helpers/adapter-pairs.js'
import { frameOf } from '../../helpers/frames.js'
import { signal } from '../../helpers/turns.js'

const { pair } = adapterPairs()

pair('frames come as data events, also empty ones; then end, and last of all close', async (t, { near, far }) => {
  const here = toEmitter(near)
  const there = toEmitter(far)
  const log: string[] = []
  const over = signal()
  there
    .on('data', (frame) => log.push(String(frame)))
    .on('end', () => log.push('end'))
    .on('finish', () => log.push('finish'))
    .on('error', (error) => log.push(error.message))
    .on('close', () => {
      log.push('close')
      over.resolve()
    })
  here.resume()
  const closed = once(here, 'close')
  for (const frame of ['one', '', Buffer.from('three'), ['parts', '!']]) here.write(frame)
  here.end()
  await Promise.all([over.promise, closed])
  t.deepEqual(log.slice(0, 5), ['one', '', 'three', 'parts!', 'end'])
  t.deepEqual(log.slice(5).sort(), ['close', 'finish'])
  t.is(log.at(-1), 'close')
  t.deepEqual([here.destroyed, here.errored], [true, null])
  t.is((await near.closed).code, 'OK')
})

pair('write() says when to wait, and drain when to go on', async (t, { near, far }) => {
  const here = toEmitter(near)
  const there = toEmitter(far).pause()
  t.true(there.isPaused())
  let written = 0
  while (here.write(frameOf(20_000, written))) written++
  const drained = once(here, 'drain')
  let read = 0
  there.on('data', () => read++).resume()
  await drained
  const closed = [once(here.resume(), 'close'), once(there, 'close')]
  here.end()
  await Promise.all(closed)
  t.is(read, written + 1)
})

pair('what ends a connection is an error event, before close', async (t, { near }) => {
  const here = toEmitter(near)
  const log: string[] = []
  here.on('error', (error) => log.push(nameOf(error))).on('close', () => log.push('close'))
  near.destroy(new TransportError('ERR_RESET', 'broken'))
  await once(here, 'close').catch(() => undefined)
  if (log.length < 2) await once(here, 'close')
  t.deepEqual(log, ['ERR_RESET', 'close'])
})

pair('that its owner destroys the connection is no error', async (t, { near }) => {
  const here = toEmitter(near).resume()
  const events: string[] = []
  here.on('error', (error) => events.push(nameOf(error)))
  near.destroy()
  await once(here, 'close')
  t.deepEqual(events, [])
})

pair('without a listener an error is an uncaught exception, as Node has it', async (t, { near }) => {
  const here = toEmitter(near)
  const caught = signal<Error>()
  // The listeners of the runner would end the run.
  const others = process.listeners('uncaughtException')
  process.removeAllListeners('uncaughtException').once('uncaughtException', caught.resolve)
  try {
    here.destroy(new Error('unheard'))
    t.is((await caught.promise).message, 'unheard')
  } finally {
    for (const other of others) process.on('uncaughtException', other)
  }
})
