/**
 * A peer of a `shm:` endpoint in Python, written from docs/wire.md alone. Arguments: `dial` or `listen`, the path of
 * the socket, `descriptor`, `path` or `socket`, and the index of the first ring that it makes. It sends each frame
 * back, ends when its peer has ended, and says on its last line what carried the frames.
 */
import { spawn, spawnSync, type ChildProcess } from 'node:child_process'
import process from 'node:process'

export const hasPython = process.platform === 'linux' && spawnSync('python3', ['--version']).status === 0

/** Plain loads and stores of 32 bits are single, and a lock is a fence, on x86-64. */
const PEER = `
import fcntl, mmap, os, select, socket, stat, struct, sys, tempfile, threading
verb, path, wanted, first_index = sys.argv[1:]
HELLO_MAGIC = b'SYMSHM\\0\\0'
SEGMENT_MAGIC = b'SYMSHMEM'
SIZES = [4096, 8192, 32768, 131072, 524288, 2097152, 8388608]
MODES = ['socket', 'descriptor', 'path']
F_ADD_SEALS, F_GET_SEALS, SHRINK, GROW = 1033, 1034, 2, 4
TAIL, RING, SWITCH_AT, STATE, SPACE_AT = 256, 260, 264, 268, 272
HEAD, RING_ACK, NOTIFY_AT, NOTIFY, SPACE = 384, 388, 392, 512, 640
NEXT_DIRECTION = 512
lock = threading.Lock()

def fence():
  with lock: pass

def exactly(s, count):
  data = b''
  while len(data) < count:
    more = s.recv(count - len(data))
    if not more: raise EOFError
    data += more
  return data

def receive(s):
  length = struct.unpack('<I', exactly(s, 4))[0]
  return exactly(s, length)

def send(s, message):
  s.sendall(struct.pack('<I', len(message)) + message)

def offset(ring, direction):
  return 4096 + 2 * sum(SIZES[:ring]) + direction * SIZES[ring]

def distance(a, b):
  d = (a - b) & 0xffffffff
  return d - (1 << 32) if d >> 31 else d

class Segment:
  def __init__(self, fd, most, first, outgoing):
    self.fd = fd
    self.sizes = [size for size in SIZES if size <= most]
    self.bytes = mmap.mmap(fd, 4096 + 2 * sum(self.sizes))
    self.words = memoryview(self.bytes)[:4096].cast('I')
    self.out, self.incoming = outgoing, 1 - outgoing
    self.out_ring = self.in_ring = first
    self.tail = self.head = 0
    self.moves = 0

  def load(self, direction, word):
    return self.words[(word + direction * NEXT_DIRECTION) // 4]

  def store(self, direction, word, value):
    self.words[(word + direction * NEXT_DIRECTION) // 4] = value & 0xffffffff

class Shared:
  def __init__(self, s, segment):
    self.s, self.m = s, segment
    self.gone = False

  def wake(self):
    try: self.s.send(b'\\1', socket.MSG_DONTWAIT)
    except BlockingIOError: pass
    except (BrokenPipeError, ConnectionResetError): self.gone = True

  def sleep(self):
    select.select([self.s], [], [])
    try:
      if not self.s.recv(4096): self.gone = True
    except ConnectionResetError: self.gone = True

  def available(self):
    m = self.m
    while True:
      ended = m.load(m.incoming, STATE) == 1
      tail = m.load(m.incoming, TAIL)
      ring = m.load(m.incoming, RING)
      if ring == m.in_ring: return distance(tail, m.head), ended
      until = distance(m.load(m.incoming, SWITCH_AT), m.head)
      if until > 0: return until, False
      m.store(m.incoming, RING_ACK, ring)
      m.in_ring = ring
      m.moves += 1

  def read(self, count):
    m, data = self.m, bytearray()
    while len(data) < count:
      ready, ended = self.available()
      if ready == 0:
        if ended: return None
        if self.gone: raise EOFError
        m.store(m.incoming, NOTIFY_AT, m.head + 1)
        m.store(m.incoming, NOTIFY, 1)
        fence()
        if self.available() != (0, False):
          m.store(m.incoming, NOTIFY, 0)
          continue
        self.sleep()
        continue
      size = m.sizes[m.in_ring]
      at = m.head % size
      part = min(ready, count - len(data), size - at)
      start = offset(m.in_ring, m.incoming) + at
      data += m.bytes[start:start + part]
      m.head = (m.head + part) & 0xffffffff
      m.store(m.incoming, HEAD, m.head)
      fence()
      if m.load(m.incoming, SPACE) and distance(m.head, m.load(m.incoming, SPACE_AT)) >= 0:
        m.store(m.incoming, SPACE, 0)
        self.wake()
    return bytes(data)

  def write(self, data):
    m = self.m
    while data:
      size = m.sizes[m.out_ring]
      room = size - distance(m.tail, m.load(m.out, HEAD))
      if room == 0:
        if self.gone: raise EOFError
        if m.out_ring + 1 < len(m.sizes) and m.load(m.out, RING_ACK) == m.out_ring:
          m.out_ring += 1
          os.posix_fallocate(m.fd, offset(m.out_ring, m.out), m.sizes[m.out_ring])
          m.store(m.out, SWITCH_AT, m.tail)
          m.store(m.out, RING, m.out_ring)
          m.moves += 1
          continue
        space_at = m.tail - size // 2
        m.store(m.out, SPACE_AT, space_at)
        m.store(m.out, SPACE, 1)
        fence()
        if distance(m.load(m.out, HEAD), space_at) >= 0:
          m.store(m.out, SPACE, 0)
          continue
        self.sleep()
        continue
      at = m.tail % size
      part = min(room, len(data), size - at)
      start = offset(m.out_ring, m.out) + at
      m.bytes[start:start + part] = data[:part]
      data = data[part:]
      m.tail = (m.tail + part) & 0xffffffff
      m.store(m.out, TAIL, m.tail)
      fence()
      # Without an exchange: a byte too many is allowed.
      if m.load(m.out, NOTIFY) and distance(m.tail, m.load(m.out, NOTIFY_AT)) >= 0:
        m.store(m.out, NOTIFY, 0)
        self.wake()

  def end(self):
    self.m.store(self.m.out, STATE, 1)
    fence()
    self.wake()
    while not self.available()[1] and not self.gone: self.sleep()
    self.s.close()

class Plain:
  def __init__(self, s): self.s = s

  def read(self, count):
    try: return exactly(self.s, count)
    except EOFError: return None

  def write(self, data): self.s.sendall(data)

  def end(self): self.s.close()

def dial():
  s = socket.socket(socket.AF_UNIX)
  s.connect(path)
  capabilities = {'socket': 0, 'descriptor': 1, 'path': 2}[wanted]
  namespace = os.stat('/proc/self/ns/pid').st_ino
  hello = struct.pack('<8sBBBBIQIIQ', HELLO_MAGIC, 1, 1, 1, capabilities, SIZES[-1], namespace, os.getpid(), 0, 0)
  send(s, hello)
  offer = receive(s)
  magic, kind, version, mode, _, most, first, pid, number, size, nonce = struct.unpack('<8sBBBBIIIII16s', offer[:48])
  assert (magic, kind, version) == (HELLO_MAGIC, 2, 1)
  if mode == 0: return 'socket', Plain(s)
  name = '/proc/%d/fd/%d' % (pid, number) if mode == 1 else offer[48:].decode()
  fd = os.open(name, os.O_RDWR | (os.O_NOFOLLOW if mode == 2 else 0))
  status = os.fstat(fd)
  assert stat.S_ISREG(status.st_mode) and status.st_uid == os.geteuid() and status.st_size == size
  if mode == 1: assert fcntl.fcntl(fd, F_GET_SEALS) & (SHRINK | GROW) == SHRINK | GROW
  else: assert stat.S_IMODE(status.st_mode) == 0o600
  start = os.pread(fd, 48, 0)
  assert start[:8] == SEGMENT_MAGIC and start[32:] == nonce
  segment = Segment(fd, most, SIZES.index(first), 0)
  assert len(segment.bytes) == size
  send(s, struct.pack('<8sBBH', HELLO_MAGIC, 3, mode, 0))
  return MODES[mode], Shared(s, segment)

def listen():
  server = socket.socket(socket.AF_UNIX)
  server.bind(path)
  server.listen()
  print('up', flush=True)
  s, _ = server.accept()
  hello = receive(s)
  magic, kind, low, high, capabilities, most, namespace, pid, _, _ = struct.unpack('<8sBBBBIQIIQ', hello)
  assert (magic, kind, len(hello)) == (HELLO_MAGIC, 1, 40) and low <= 1 <= high
  assert namespace == os.stat('/proc/self/ns/pid').st_ino
  can = wanted != 'socket' and capabilities & MODES.index(wanted)
  if not can:
    send(s, struct.pack('<8sBBBBIIIII16s', HELLO_MAGIC, 2, 1, 0, 0, 0, 0, 0, 0, 0, b''))
    return 'socket', Plain(s)
  index, nonce = int(first_index), os.urandom(16)
  size = 4096 + 2 * sum(ring for ring in SIZES if ring <= most)
  folder = None
  if wanted == 'descriptor':
    fd, name = os.memfd_create('peer', os.MFD_ALLOW_SEALING | os.MFD_CLOEXEC), b''
  else:
    folder = tempfile.mkdtemp()
    name = os.path.join(folder, 'segment').encode()
    fd = os.open(name, os.O_RDWR | os.O_CREAT | os.O_EXCL, 0o600)
  os.ftruncate(fd, size)
  if wanted == 'descriptor': fcntl.fcntl(fd, F_ADD_SEALS, SHRINK | GROW)
  os.posix_fallocate(fd, 0, 4096)
  os.posix_fallocate(fd, offset(index, 0), 2 * SIZES[index])
  os.pwrite(fd, struct.pack('<8sIIII8x16s', SEGMENT_MAGIC, 1, size, most, SIZES[index], nonce), 0)
  segment = Segment(fd, most, index, 1)
  for direction in (0, 1):
    for word in (RING, RING_ACK): segment.store(direction, word, index)
  mode = MODES.index(wanted)
  head = (HELLO_MAGIC, 2, 1, mode, 0, most, SIZES[index], os.getpid(), fd, size, nonce)
  send(s, struct.pack('<8sBBBBIIIII16s', *head) + name)
  magic, kind, answered, _ = struct.unpack('<8sBBH', receive(s))
  assert (magic, kind) == (HELLO_MAGIC, 3) and answered in (0, mode)
  if folder:
    os.unlink(name)
    os.rmdir(folder)
  if answered == 0: return 'socket', Plain(s)
  return wanted, Shared(s, segment)

how, peer = dial() if verb == 'dial' else listen()
while True:
  header = peer.read(4)
  if header is None: break
  length = struct.unpack('<I', header)[0]
  payload = peer.read(length)
  peer.write(header + payload)
peer.end()
moved = peer.m.moves > 0 if how != 'socket' else False
print(how, 'moved' if moved else 'stayed', flush=True)
`

export type PythonMode = 'descriptor' | 'path' | 'socket'

export function spawnPythonPeer(verb: 'dial' | 'listen', path: string, mode: PythonMode, firstRing = 0): ChildProcess {
  const args = ['-c', PEER, verb, path, mode, String(firstRing)]
  return spawn('python3', args, { stdio: ['ignore', 'pipe', 'inherit'] })
}
