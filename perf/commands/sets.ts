/** Which measurements a report is made of, by the name of the set. */

export const sets: Readonly<Record<string, readonly string[]>> = {
  /** A few minutes: whether it works, and about what to expect. */
  quick: [
    'latency --rounds 3 --count 2000',
    'throughput --sizes 64,65536 --rounds 3',
    'requests --connections 1,10,100 --rounds 3',
  ],
  /** What most people ask. */
  standard: [
    'latency --sizes 64,1024,16384 --rounds 7',
    'latency --transport shm --sizes 64,1024,16384 --rounds 7',
    'throughput --sizes 64,1024,65536,1048576 --rounds 7',
    'throughput --transport shm --sizes 64,1024,65536,1048576 --rounds 7',
    'requests --connections 1,10,100,1000 --rounds 7',
    'http --rounds 7',
    'accepts --rounds 7',
  ],
  /** Everything that has figures. */
  full: [
    'latency --sizes 64,1024,16384,65536 --rates 10,100,1000 --rounds 9',
    'latency --transport shm --sizes 64,1024,16384,65536 --rates 10,100,1000 --rounds 9',
    'latency --transport stdio --sizes 64,1024,16384 --rounds 9',
    'throughput --sizes 64,256,1024,16384,65536,1048576 --framing line,nul,content-length,length-be --rounds 9',
    'throughput --transport shm --sizes 64,256,1024,16384,65536,1048576 --rounds 9',
    'requests --connections 1,10,100,1000 --rounds 9',
    'handlers --rounds 9',
    'http --rounds 9',
    'accepts --rounds 9',
    'flood --rounds 9',
    'pool --rounds 9',
    'churn',
    'idle --transport unix,shm',
  ],
}
