/**
 * Two segment pumps over the same words, with the peer coming in between any two operations on them. Each test names
 * the race that the order of operations prevents; the torture test has two processes do all of it at once.
 */
import test from 'ava'
import { inState, intent, lane } from '../../../engine/protocol/ring-layout.js'
import { distance } from '../../../engine/protocol/ring.js'
import { word } from '../../../engine/shared-memory/segment-layout.js'
import { interleave } from '../../helpers/atomics-hook.js'
import { FIRST_RING, PumpFixture, segmentWords, sizeOf } from '../../helpers/segment-pump-fixture.js'

// Tests are serial because `Atomics` is replaced for the length of a call.

const LARGER = FIRST_RING + 1

interface Pair {
  readonly producer: PumpFixture
  readonly consumer: PumpFixture
}

/** Whether the consumer sees the next change by itself, or the producer has woken it. */
interface Seen extends Pair {
  readonly wokeConsumer: () => boolean
}

function pair(): Seen {
  const shared = segmentWords()
  const producer = new PumpFixture(FIRST_RING, 0, shared)
  const consumer = new PumpFixture(FIRST_RING, 1, shared)
  return { producer, consumer, wokeConsumer: () => producer.calls.includes('wake') }
}

/** As InRing.awaitMore() does. */
function awaitByte({ consumer }: Pair): void {
  consumer.lay(lane.IN_NOTIFY_AT, (consumer.of(lane.IN_TAIL) + 1) | 0)
  consumer.lay(lane.IN_NOTIFY, 1)
  consumer.pump.awaitBytes()
}

test.serial('a consumer that waits for bytes sees those that come meanwhile, or is woken', (t) => {
  const check = (seen: Seen, at: number): void => {
    t.true(seen.wokeConsumer() || seen.consumer.of(lane.IN_TAIL) === 10, `ahead of operation ${String(at)}`)
  }
  const forward = interleave(() => {
    const seen = pair()
    return {
      work: () => awaitByte(seen),
      intrusion: () => seen.producer.publish(10),
      check: (at) => check(seen, at),
    }
  })
  const backward = interleave(() => {
    const seen = pair()
    return {
      work: () => seen.producer.publish(10),
      intrusion: () => awaitByte(seen),
      check: (at) => check(seen, at),
    }
  })
  t.true(forward > 5 && backward > 5)
})

test.serial('main that stops polling sees the bytes that come meanwhile, or is woken', (t) => {
  const polling = (): Seen => {
    const seen = pair()
    seen.consumer.pump.startPolling()
    awaitByte(seen)
    return seen
  }
  for (const isWorkOfConsumer of [true, false]) {
    const places = interleave(() => {
      const seen = polling()
      let sleeps = false
      const stop = (): void => {
        sleeps = seen.consumer.pump.stopPolling()
      }
      const publish = (): void => seen.producer.publish(10)
      return {
        work: isWorkOfConsumer ? stop : publish,
        intrusion: isWorkOfConsumer ? publish : stop,
        check: (at) => t.true(!sleeps || seen.wokeConsumer(), `ahead of operation ${String(at)}`),
      }
    })
    t.true(places > 3)
  }
})

test.serial('a producer that waits for room sees what is given back meanwhile, or is woken', (t) => {
  const full = (): Pair => {
    const { producer, consumer } = pair()
    producer.publish(sizeOf(FIRST_RING))
    consumer.pump.pull()
    consumer.lay(lane.IN_HEAD, sizeOf(FIRST_RING))
    producer.lay(lane.OUT_SPACE_AT, sizeOf(FIRST_RING) / 2)
    return { producer, consumer }
  }
  for (const isWorkOfProducer of [true, false]) {
    const places = interleave(() => {
      const { producer, consumer } = full()
      const wait = (): void => producer.pump.awaitRoom()
      const release = (): void => consumer.pump.released()
      return {
        work: isWorkOfProducer ? wait : release,
        intrusion: isWorkOfProducer ? release : wait,
        check: (at) => {
          const isSeen = producer.of(lane.OUT_HEAD) === sizeOf(FIRST_RING)
          t.true(isSeen || consumer.calls.includes('wake'), `ahead of operation ${String(at)}`)
        },
      }
    })
    t.true(places > 3)
  }
})

test.serial('a TAIL beyond a change of rings is never seen without the change', (t) => {
  // More than the ring before has room for: taken for a position of that one, it would end the connection.
  const beyond = sizeOf(LARGER)
  for (const isWorkOfConsumer of [true, false]) {
    interleave(() => {
      const { producer, consumer } = pair()
      producer.publish(10)
      consumer.pump.pull()
      const change = (): void => {
        producer.switchTo(LARGER, 10)
        producer.publish(beyond)
      }
      const pull = (): void => consumer.pump.pull()
      return {
        work: isWorkOfConsumer ? pull : change,
        intrusion: isWorkOfConsumer ? change : pull,
        check: (at) => {
          const tail = consumer.of(lane.IN_TAIL)
          const isFollowed = consumer.of(lane.IN_REGION) === consumer.region(LARGER)
          t.false(consumer.isClosed, `ahead of operation ${String(at)}`)
          t.true(distance(tail, 10) <= 0 || isFollowed)
          pull()
          t.is(consumer.of(lane.IN_TAIL), beyond)
          t.is(consumer.of(lane.IN_SWITCH_AT), 10)
        },
      }
    })
  }
})

test.serial('the acknowledgement of a ring is never seen without the HEAD that goes with it', (t) => {
  for (const isWorkOfProducer of [true, false]) {
    interleave(() => {
      const { producer, consumer } = pair()
      producer.publish(10)
      producer.switchTo(LARGER, 10)
      producer.publish(20)
      consumer.pump.pull()
      consumer.lay(lane.IN_HEAD, 10)
      consumer.followed()
      const leave = (): void => consumer.pump.leaveRing()
      // HEAD is loaded before the acknowledgement here, so it may be the one before; it must be right the next time.
      const look = (): void => producer.pump.pull()
      return {
        work: isWorkOfProducer ? look : leave,
        intrusion: isWorkOfProducer ? leave : look,
        check: () => {
          const isSettled = producer.of(lane.OUT_REGION_ACK) === producer.region(LARGER)
          if (isSettled) t.is(producer.getOut(word.HEAD), 10)
          look()
          t.is(producer.of(lane.OUT_HEAD), 10)
          t.is(producer.of(lane.OUT_REGION_ACK), producer.region(LARGER))
        },
      }
    })
  }
})

test.serial('an end is never seen without the bytes before it', (t) => {
  for (const isWorkOfConsumer of [true, false]) {
    interleave(() => {
      const { producer, consumer } = pair()
      const end = (): void => {
        producer.lay(lane.OUT_INTENT, intent.END)
        producer.publish(10)
      }
      const pull = (): void => consumer.pump.pull()
      return {
        work: isWorkOfConsumer ? pull : end,
        intrusion: isWorkOfConsumer ? end : pull,
        check: (at) => {
          const hasEnded = consumer.of(lane.IN_STATE) === inState.ENDED
          t.true(!hasEnded || consumer.of(lane.IN_TAIL) === 10, `ahead of operation ${String(at)}`)
          t.true(producer.calls.includes('wake'))
        },
      }
    })
  }
})
