import test from 'ava'
import { SharedPair } from '../../helpers/shared-pair.js'

test('frames go both ways, in order', async (t) => {
  const pair = await SharedPair.connect()
  try {
    const { dialled, accepted } = pair
    for (let i = 0; i < 100; i++) dialled.send(`frame ${String(i)}`)
    for (let i = 0; i < 100; i++) t.is(String(await accepted.receive()), `frame ${String(i)}`)
    accepted.send('back')
    t.is(String(await dialled.receive()), 'back')
    t.is(dialled.info.memory, 'shared')
    t.is(dialled.pendingBytes, 0)
  } finally {
    await pair.close()
  }
  t.is(pair.ledger.report().leaked, 0)
  t.is(pair.native.mapped, 0)
})

test('frames larger than the largest ring arrive whole, and both rings grow', async (t) => {
  const pair = await SharedPair.connect({ maxRingBytes: 32_768, settings: { maxRingBytes: 32_768 } })
  try {
    const { dialled, accepted } = pair
    const large = Buffer.alloc(5_000_000, 'abcdefg')
    t.false(dialled.send(large))
    dialled.send('behind it')
    t.true(large.equals((await accepted.receive()) ?? Buffer.of()))
    t.is(String(await accepted.receive()), 'behind it')
    await dialled.ready()
    t.is(dialled.pendingBytes, 0)
  } finally {
    await pair.close()
  }
  t.is(pair.ledger.report().leaked, 0)
})

test('a stream of frames of many sizes arrives as it was sent, whoever waits for room', async (t) => {
  const pair = await SharedPair.connect()
  try {
    const { dialled, accepted } = pair
    let sum = 0
    let count = 0
    const done = new Promise<void>((resolve) => {
      accepted.subscribe(
        (frame) => {
          sum += frame.length
          if (++count === 3_000) resolve()
        },
        { borrow: true },
      )
    })
    let sent = 0
    for (let i = 0; i < 3_000; i++) {
      const length = (i * 7919) % 40_000
      sent += length
      if (!dialled.send(Buffer.alloc(length, i))) await dialled.ready()
    }
    await done
    t.is(sum, sent)
  } finally {
    await pair.close()
  }
  t.is(pair.ledger.report().leaked, 0)
})

test('end() tells the peer, whose frames still arrive, and both sides close without an error', async (t) => {
  const pair = await SharedPair.connect({ settings: { allowHalfOpen: true } })
  try {
    const { dialled, accepted } = pair
    dialled.send('last')
    await dialled.end()
    t.is(String(await accepted.receive()), 'last')
    t.is(await accepted.receive(), undefined)
    accepted.send('answer')
    await accepted.end()
    t.is(String(await dialled.receive()), 'answer')
    t.is(await dialled.receive(), undefined)
    t.is((await dialled.closed).code, 'OK')
    t.is((await accepted.closed).code, 'OK')
  } finally {
    await pair.close()
  }
})

test('a main thread that stays awake for replies gets them, and sleeps when there is none', async (t) => {
  const pair = await SharedPair.connect({ wake: { spinMicros: 500 } })
  try {
    const { dialled, accepted } = pair
    accepted.subscribe((frame) => void accepted.send(frame))
    for (let i = 0; i < 200; i++) {
      dialled.send(String(i))
      t.is(String(await dialled.receive()), String(i))
    }
  } finally {
    await pair.close()
  }
  t.is(pair.ledger.report().leaked, 0)
})

test('a frame of half the ring that waits for its rest does not keep the sender waiting for room', async (t) => {
  const pair = await SharedPair.connect({ firstRingBytes: 4096, maxRingBytes: 4096, settings: { maxRingBytes: 4096 } })
  try {
    const { dialled, accepted } = pair
    const received: number[] = []
    accepted.subscribe((frame) => void received.push(frame.length), { borrow: true })
    for (const length of [2056, 2036, 60]) dialled.send(Buffer.alloc(length))
    await dialled.ready()
    await dialled.end()
    await accepted.closed
    t.deepEqual(received, [2056, 2036, 60])
  } finally {
    await pair.close()
  }
})

test('rings may begin at any size, the largest too', async (t) => {
  for (const firstRingBytes of [4096, 2_097_152, 8_388_608]) {
    const pair = await SharedPair.connect({ firstRingBytes })
    try {
      const { dialled, accepted } = pair
      const [there, back] = [Buffer.alloc(300_000, 'there'), Buffer.alloc(300_000, 'back')]
      dialled.send(there)
      accepted.send(back)
      t.true(there.equals((await accepted.receive()) ?? Buffer.of()))
      t.true(back.equals((await dialled.receive()) ?? Buffer.of()))
    } finally {
      await pair.close()
    }
    t.is(pair.ledger.report().leaked, 0)
  }
})
