/**
 * The lock-free steps, with the other thread coming in between any two operations on shared memory. Each test here
 * names the race that the order of operations prevents; the torture test runs them on two threads at once.
 */
import test from 'ava'
import { BellListener, BellNotifier, createBellMemory } from '../../../engine/protocol/bell.js'
import { distance, type RingConsumer } from '../../../engine/protocol/ring.js'
import { inWords, outWords } from '../../../engine/protocol/ring-layout.js'
import { interleave } from '../../helpers/atomics-hook.js'
import { LaneFixture, publishBytes } from '../../helpers/lane-fixture.js'

// Tests are serial because `Atomics` is replaced for the length of a call.

class Bell {
  wakes = 0
  readonly visited = new Set<number>()
  readonly memory = createBellMemory()
  readonly listener = new BellListener(this.memory)
  readonly notifier = new BellNotifier(this.memory, () => {
    this.wakes++
  })

  take(): void {
    this.listener.take((laneId) => this.visited.add(laneId))
  }
}

/** Lane 5 alone, or beside lanes of its own leaf word, of its summary word, of another summary word. */
const neighbours = [[], [6], [5], [5 + 32], [5 + 1024], [4, 6, 40, 5000]] as const

for (const others of neighbours) {
  const beside = others.length === 0 ? 'alone' : `beside ${others.join(', ')}`

  test.serial(`a listener that parks while lane 5 is notified ${beside} sees it or is woken`, (t) => {
    const places = interleave(() => {
      const bell = new Bell()
      for (const id of others) bell.notifier.notify(id)
      let parked = false
      return {
        work: () => bell.notifier.notify(5),
        intrusion: () => {
          bell.take()
          parked = bell.listener.park()
        },
        check: (at) => {
          if (bell.visited.has(5)) return
          t.true(bell.listener.hasNotifications, `the notification can be found, at ${String(at)}`)
          t.true(!parked || bell.wakes === 1, `the listener does not sleep over it, at ${String(at)}`)
          bell.take()
          t.true(bell.visited.has(5))
        },
      }
    })
    t.true(places > 2)
  })

  test.serial(`a notification of lane 5 ${beside} while the listener takes is taken now or later`, (t) => {
    const places = interleave(() => {
      const bell = new Bell()
      for (const id of others) bell.notifier.notify(id)
      return {
        work: () => {
          bell.take()
        },
        intrusion: () => {
          // What was there before must not hide the new notification.
          bell.visited.delete(5)
          bell.notifier.notify(5)
        },
        check: (at) => {
          bell.take()
          for (const id of [5, ...others]) t.true(bell.visited.has(id), `lane ${String(id)}, at ${String(at)}`)
          t.false(bell.listener.hasNotifications)
        },
      }
    })
    t.true(places > others.length)
  })
}

test.serial('a notification while the listener parks is seen by its second look or wakes it', (t) => {
  for (const id of [0, 31, 1024, 32_767]) {
    interleave(() => {
      const bell = new Bell()
      let parked = false
      return {
        work: () => {
          parked = bell.listener.park()
        },
        intrusion: () => {
          bell.notifier.notify(id)
        },
        check: (at) => {
          t.true(!parked || bell.wakes === 1, `lane ${String(id)}, at ${String(at)}`)
          t.true(bell.wakes <= 1)
          bell.take()
          t.true(bell.visited.has(id))
        },
      }
    })
  }
})

/** Takes all that can be read, what the last refresh has found first. */
function drain(consumer: RingConsumer): string {
  let text = ''
  do {
    const length = consumer.readable
    const bytes = Buffer.alloc(length)
    consumer.read(bytes, 0, length)
    consumer.consume(length)
    text += bytes.toString()
  } while (consumer.refresh() > 0)
  consumer.release()
  return text
}

const START = 2 ** 32 - 3

for (const direction of ['out', 'in'] as const) {
  const names = direction === 'out' ? outWords : inWords

  for (const unread of ['', 'before ']) {
    const having = unread === '' ? 'has read everything' : 'has bytes to read'

    test.serial(
      `${direction}: a region change while the consumer, who ${having}, refreshes misleads neither side`,
      (t) => {
        interleave(() => {
          const fixture = new LaneFixture({ direction, start: START })
          const { producer, consumer } = fixture
          const grown = fixture.addRegion(8192)
          publishBytes(producer, Buffer.from(unread))
          return {
            work: () => {
              consumer.refresh()
            },
            intrusion: () => {
              publishBytes(producer, Buffer.from('old '))
              producer.switchTo(grown)
              publishBytes(producer, Buffer.from('new'))
            },
            check: (at) => {
              t.true(consumer.readable >= 0)
              t.is(drain(consumer), `${unread}old new`, `at ${String(at)}`)
              t.true(producer.settled)
            },
          }
        })
      },
    )

    test.serial(`${direction}: a consumer, which ${having}, may look at any moment of a region change`, (t) => {
      interleave(() => {
        const fixture = new LaneFixture({ direction, start: START })
        const { producer, consumer } = fixture
        const grown = fixture.addRegion(8192)
        publishBytes(producer, Buffer.from(unread))
        producer.write(Buffer.from('old '), 0, 4)
        let text = ''
        return {
          work: () => {
            producer.switchTo(grown)
            publishBytes(producer, Buffer.from('new'))
          },
          intrusion: () => {
            text = drain(consumer)
          },
          check: (at) => {
            text += drain(consumer)
            t.is(text, `${unread}old new`, `at ${String(at)}`)
            t.true(producer.settled)
          },
        }
      })
    })
  }

  test.serial(`${direction}: the second region change cannot be taken for the first, or for none`, (t) => {
    // SWITCH_AT still holds the position of the first change when the second begins.
    interleave(() => {
      const fixture = new LaneFixture({ direction, start: START })
      const { producer, consumer } = fixture
      producer.switchTo(fixture.addRegion(8192))
      publishBytes(producer, Buffer.from('first '))
      let text = drain(consumer)
      const second = fixture.addRegion(32_768)
      producer.write(Buffer.from('second '), 0, 7)
      return {
        work: () => {
          producer.switchTo(second)
          publishBytes(producer, Buffer.from('third'))
        },
        intrusion: () => {
          text += drain(consumer)
        },
        check: (at) => {
          text += drain(consumer)
          t.is(text, 'first second third', `at ${String(at)}`)
        },
      }
    })
  })

  test.serial(`${direction}: a region is acknowledged only when HEAD has left the one before`, (t) => {
    interleave(() => {
      const fixture = new LaneFixture({ direction, start: START })
      const { words, base, producer, consumer } = fixture
      publishBytes(producer, Buffer.from('old'))
      const switchAt = producer.tail
      const grown = fixture.addRegion(8192)
      producer.switchTo(grown)
      consumer.refresh()
      consumer.consume(3)
      let astray = false
      return {
        work: () => {
          consumer.refresh()
        },
        intrusion: () => {
          const acknowledged = words[base + names.regionAck] === grown
          astray = acknowledged && distance(words[base + names.head] ?? 0, switchAt) < 0
        },
        check: (at) => {
          t.false(astray, `at ${String(at)}`)
          t.true(producer.settled)
        },
      }
    })
  })

  test.serial(`${direction}: a consumer that looks at any moment of a publication sees only written bytes`, (t) => {
    interleave(() => {
      const { producer, consumer } = new LaneFixture({ direction, start: START })
      let text = ''
      return {
        work: () => {
          publishBytes(producer, Buffer.from('hello '))
          publishBytes(producer, Buffer.from('world'))
        },
        intrusion: () => {
          text = drain(consumer)
        },
        check: (at) => {
          t.true(['', 'hello ', 'hello world'].includes(text), `at ${String(at)}`)
          t.is(text + drain(consumer), 'hello world')
        },
      }
    })
  })
}
