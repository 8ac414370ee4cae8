/**
 * An inspector session with another thread of this process. Node's inspector can reach all workers of the main thread
 * and tells them apart only by a title, whose form is undocumented; thread-inspection.test.ts says what it must be.
 *
 * A session has to be detached from its thread before it is given up: without that, in Node 20 and 22, a thread that is
 * asked to pause, or has paused, cannot be ended, and keeps the process from exiting.
 */
import process from 'node:process'
import type { Session } from 'node:inspector'

export interface ThreadInspection {
  /** Sends a message of the inspector's protocol. What the thread sends comes to `onMessage`. */
  send(message: object): void
  /** Detaches, also from a thread that is paused, which goes on then. The exit of the process does it too. */
  close(): void
}

export interface InspectionEvents {
  /** A message of the inspector's protocol, as JSON. */
  onMessage(text: string): void
  /** The thread has ended. Not called after `close()`. */
  onGone(): void
}

/** Undefined: there is no such thread, or no inspector (builds without one, the permission model, inside a worker). */
export async function inspectThread(threadId: number, events: InspectionEvents): Promise<ThreadInspection | undefined> {
  let session: Session | undefined
  try {
    const inspector = await import('node:inspector')
    session = new inspector.Session()
    session.connect()
    return attach(session, threadId, events)
  } catch {
    session?.disconnect()
    return undefined
  }
}

function attach(session: Session, threadId: number, events: InspectionEvents): ThreadInspection | undefined {
  const title = `[worker ${String(threadId)}]`
  let attached: string | undefined
  // Each worker of the process is attached to, and each that starts meanwhile. All but one are left at once.
  session.on('NodeWorker.attachedToWorker', ({ params: { sessionId, workerInfo } }) => {
    const isWanted = workerInfo.title === title || workerInfo.title.startsWith(`${title} `)
    if (isWanted && attached === undefined) attached = sessionId
    else session.post('NodeWorker.detach', { sessionId })
  })
  // It answers before it returns, and the events come before the answer.
  session.post('NodeWorker.enable', { waitForDebuggerOnStart: false })
  const sessionId = attached
  if (sessionId === undefined) {
    session.disconnect()
    return undefined
  }
  let isOpen = true
  session.on('NodeWorker.receivedMessageFromWorker', ({ params }) => {
    if (params.sessionId === sessionId) events.onMessage(params.message)
  })
  session.on('NodeWorker.detachedFromWorker', ({ params }) => {
    // It is told of detaching too.
    if (isOpen && params.sessionId === sessionId) events.onGone()
  })
  const close = (): void => {
    if (!isOpen) return
    isOpen = false
    process.off('exit', close)
    session.post('NodeWorker.detach', { sessionId })
    session.disconnect()
  }
  process.once('exit', close)
  return {
    send(message) {
      if (isOpen) session.post('NodeWorker.sendMessageToWorker', { sessionId, message: JSON.stringify(message) })
    },
    close,
  }
}
