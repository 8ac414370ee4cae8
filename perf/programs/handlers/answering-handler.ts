/** The handler module that is measured: it does in a shard what `engine-stack.ts` does on main. */
import type { Connection, HandlerContext } from '../../../api/index.js'
import { answerer, type Answering } from '../../harness/work.js'

export default function serve(connection: Connection, { data }: HandlerContext<Answering>): void {
  const answer = answerer(data)
  connection.subscribe((frame) => void connection.send(answer(frame)), { borrow: true })
}
