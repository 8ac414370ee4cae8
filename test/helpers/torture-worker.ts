/** The program of one torture thread: see torture-side.ts. */
import { parentPort, workerData } from 'node:worker_threads'
import type { SideMessage, SupervisorMessage } from './torture.js'
import { TortureSide, type TortureBoot } from './torture-side.js'

if (parentPort === null) throw new Error('the torture worker is not a program of its own')
const supervisor = parentPort
const tell = (message: SideMessage): void => {
  supervisor.postMessage(message)
}

const side = new TortureSide(workerData as TortureBoot, (report) => {
  tell({ kind: 'done', report })
})

supervisor.on('message', (message: SupervisorMessage) => {
  switch (message) {
    case 'start':
      side.start()
      break
    case 'wake':
      side.wake()
      break
    case 'probe':
      tell({ kind: 'probed', report: side.report() })
      break
  }
})
