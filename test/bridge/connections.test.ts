/** Connections that go on over NATS, between two bridges and over a real server. */
import { bridgedPair } from '../helpers/bridged-pair.js'
import { natsTest } from '../helpers/nats-server.js'
import { patternBytes } from '../helpers/random.js'

const WATCHDOG_MS = 60_000
const needs = { watchdogMs: WATCHDOG_MS }

natsTest('frames pass in order, both ways, and so do both ends', needs, async (t, server) => {
  const pair = await bridgedPair(server)
  try {
    const client = await pair.connect()
    for (let i = 0; i < 500; i++) client.send(`to ${String(i)}`)
    const served = await pair.accept()
    for (let i = 0; i < 500; i++) served.send(`from ${String(i)}`)
    for (let i = 0; i < 500; i++) {
      t.is(String(await served.receive()), `to ${String(i)}`)
      t.is(String(await client.receive()), `from ${String(i)}`)
    }
    client.send('')
    await client.end()
    t.is(String(await served.receive()), '')
    t.is(await served.receive(), undefined)
    served.send('after your end')
    await served.end()
    t.is(String(await client.receive()), 'after your end')
    t.is(await client.receive(), undefined)
    t.is((await client.closed).code, 'OK')
    t.is((await served.closed).code, 'OK')
  } finally {
    await pair.close()
  }
})

natsTest('a frame of many packets arrives whole', needs, async (t, server) => {
  const pair = await bridgedPair(server)
  try {
    const client = await pair.connect()
    const frame = patternBytes(5_000_001, 1)
    client.send(frame)
    client.send('and a small one')
    const served = await pair.accept()
    t.true(frame.equals((await served.receive()) ?? Buffer.alloc(0)))
    t.is(String(await served.receive()), 'and a small one')
  } finally {
    await pair.close()
  }
})
