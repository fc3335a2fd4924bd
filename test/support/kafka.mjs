// A real Kafka broker (KRaft, one node) for tests, without containers: its jars come from Maven into .cache/kafka once, Java 17 runs it.
import { spawn, spawnSync } from 'node:child_process'
import { randomInt, randomUUID } from 'node:crypto'
import { existsSync } from 'node:fs'
import { mkdir, mkdtemp, rename, rm, writeFile } from 'node:fs/promises'
import { createConnection, createServer } from 'node:net'
import { tmpdir } from 'node:os'
import { dirname, join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { secureListener } from './kafka-security.mjs'

const VERSION = '4.3.0'
const root = join(dirname(fileURLToPath(import.meta.url)), '../..')
const cache = join(root, '.cache/kafka')
const libs = join(cache, `libs-${VERSION}`)
export const JAVA = ['-Xmx512m', '-XX:+UseSerialGC', '-cp', `${libs}/*`]
const DOWNLOAD_MS = 300_000
const START_MS = 120_000
const STOP_MS = 15_000

/** Why Kafka cannot run here, or undefined when it can. */
export const kafkaMissing = () => {
  const java = spawnSync('java', ['-version'], { encoding: 'utf8' })
  const major = Number(/version "(\d+)/.exec(`${java.stderr}${java.stdout}`)?.[1] ?? 0)
  if (major < 17) return 'needs Java 17'
  if (!existsSync(libs) && spawnSync('mvn', ['-v']).status !== 0) return 'needs Maven, to fetch Kafka once'
  return undefined
}

/** Below the ports that systems give away by themselves: between here and its use nobody is given this one for a connection or a `listen(0)`. */
const GIVEN_BY_NAME = [10_000, 32_000]
const MOST_TAKEN = 100

/** A port for who has to name one before it is used. */
export const freePort = async () => {
  for (let tries = 0; tries < MOST_TAKEN; tries++) {
    const port = randomInt(...GIVEN_BY_NAME)
    if (await unused(port)) return port
  }
  throw new Error(`${MOST_TAKEN} ports were tried, and all are taken`)
}

const unused = (port) =>
  new Promise((resolve) => {
    const server = createServer().once('error', () => resolve(false))
    server.listen(port, '127.0.0.1', () => server.close(() => resolve(true)))
  })

export const run = (command, args, timeout_ms) =>
  new Promise((resolve, reject) => {
    const output = []
    const child = spawn(command, args, { stdio: ['ignore', 'pipe', 'pipe'], timeout: timeout_ms })
    child.stdout.on('data', (data) => output.push(data))
    child.stderr.on('data', (data) => output.push(data))
    child.on('error', reject)
    child.on('exit', (code) =>
      code === 0 ? resolve() : reject(new Error(`${command} ended with ${code}:\n${Buffer.concat(output).toString().slice(-4_000)}`)),
    )
  })

const pom = `<project xmlns="http://maven.apache.org/POM/4.0.0"><modelVersion>4.0.0</modelVersion>
  <groupId>in.bahi</groupId><artifactId>kafka-for-tests</artifactId><version>1</version><packaging>pom</packaging>
  <dependencies><dependency><groupId>org.apache.kafka</groupId><artifactId>kafka_2.13</artifactId><version>${VERSION}</version></dependency></dependencies>
</project>
`

/** Fetches the jars where they are missing; two at once do not harm each other. */
export const download = async () => {
  if (existsSync(libs)) return
  await mkdir(cache, { recursive: true })
  const folder = await mkdtemp(join(cache, 'download-'))
  try {
    await writeFile(join(folder, 'pom.xml'), pom)
    const goal = ['-q', '-B', '-f', join(folder, 'pom.xml'), 'dependency:copy-dependencies', '-DincludeScope=runtime']
    await run('mvn', [...goal, `-DoutputDirectory=${join(folder, 'libs')}`], DOWNLOAD_MS)
    await rename(join(folder, 'libs'), libs).catch((error) => {
      if (!existsSync(libs)) throw error
    })
  } finally {
    await rm(folder, { recursive: true, force: true })
  }
}

const properties = ({
  port,
  advertised = port,
  controllerPort,
  folder,
  data = join(folder, 'data'),
  security,
}) => `process.roles=broker,controller
node.id=1
controller.quorum.bootstrap.servers=127.0.0.1:${controllerPort}
listeners=PLAINTEXT://127.0.0.1:${port},CONTROLLER://127.0.0.1:${controllerPort}${security ? `,${security.listener}` : ''}
advertised.listeners=PLAINTEXT://127.0.0.1:${advertised},CONTROLLER://127.0.0.1:${controllerPort}${security ? `,${security.listener}` : ''}
controller.listener.names=CONTROLLER
listener.security.protocol.map=CONTROLLER:PLAINTEXT,PLAINTEXT:PLAINTEXT,SASL_SSL:SASL_SSL
${security?.properties ?? ''}log.dirs=${data}
offsets.topic.replication.factor=1
offsets.topic.num.partitions=4
transaction.state.log.replication.factor=1
transaction.state.log.min.isr=1
transaction.state.log.num.partitions=4
group.min.session.timeout.ms=1000
group.initial.rebalance.delay.ms=0
auto.create.topics.enable=false
num.network.threads=2
num.io.threads=4
`

export const listening = (port) =>
  new Promise((resolve) => {
    const socket = createConnection(port, '127.0.0.1')
    const answer = (up) => {
      socket.destroy()
      resolve(up)
    }
    socket.on('connect', () => answer(true))
    socket.on('error', () => answer(false))
  })

/**
 * Starts a broker in a folder of its own. Answers its address, its pid, and how to stop it. A given port is for who must know it before.
 * `advertised`: the port that clients are told, of a proxy in between. `data`: where it keeps its records. `secured`: it also listens by TLS, to users with SCRAM.
 */
export const startKafka = async ({ port: given, advertised, data, secured = false } = {}) => {
  await download()
  const folder = await mkdtemp(join(tmpdir(), 'bahi-kafka-'))
  const [port, controllerPort] = [given ?? (await freePort()), await freePort()]
  const config = join(folder, 'server.properties')
  const security = secured ? await secureListener(folder, await freePort()) : undefined
  await writeFile(config, properties({ port, advertised, controllerPort, folder, data, security }))
  const id = Buffer.from(randomUUID().replaceAll('-', ''), 'hex').toString('base64url')
  await run(
    'java',
    [...JAVA, 'kafka.tools.StorageTool', 'format', '--standalone', `--cluster-id=${id}`, '-c', config, ...(security?.format ?? [])],
    START_MS,
  )
  const output = []
  const launch = () => {
    const child = spawn('java', [...JAVA, 'kafka.Kafka', config], { stdio: ['ignore', 'pipe', 'pipe'], cwd: folder })
    for (const stream of [child.stdout, child.stderr])
      stream.on('data', (data) => {
        output.push(data.toString())
        if (output.length > 200) output.shift()
      })
    return child
  }
  const gone = (child) => child.exitCode !== null || child.signalCode !== null
  const ended = (child) => (gone(child) ? Promise.resolve() : new Promise((resolve) => child.once('exit', resolve)))
  let broker = launch()
  // A test run that is killed must not leave a broker behind.
  const onExit = () => broker.kill('SIGKILL')
  process.once('exit', onExit)
  const stop = async () => {
    process.removeListener('exit', onExit)
    broker.kill('SIGTERM')
    const late = setTimeout(() => broker.kill('SIGKILL'), STOP_MS)
    await ended(broker)
    clearTimeout(late)
    await rm(folder, { recursive: true, force: true })
  }
  const started = async () => {
    const until = Date.now() + START_MS
    while (!(await listening(port))) {
      if (gone(broker) || Date.now() > until) {
        await stop()
        throw new Error(`Kafka did not start:\n${output.join('').slice(-4_000)}`)
      }
      await new Promise((resolve) => setTimeout(resolve, 100))
    }
  }
  const crash = async () => {
    broker.kill('SIGKILL')
    await ended(broker)
    broker = launch()
    await started()
  }
  await started()
  const brokers = [`127.0.0.1:${advertised ?? port}`]
  return { brokers, listens: port, pid: broker.pid, stop, crash, ...(security && { secured: security.client }) }
}

/**
 * Declares `name` as skipped when something is `missing`, says so, and answers true. With CI=true nothing is skipped: there the caller's
 * beforeAll is to fail, by `failWithout`.
 */
export const skippedWithout = ({ describe, it }, name, missing) => {
  if (missing === undefined || process.env.CI === 'true') return false
  console.warn(`skipped: ${missing}`)
  describe(name, () => {
    it.skip(`skipped: ${missing}`, () => {})
  })
  return true
}

export const failWithout = (missing) => {
  if (missing !== undefined) throw new Error(`CI=true and ${missing}`)
}

/**
 * Declares tests that need Kafka: `withKafka(describe, (kafka) => …)`, where `kafka()` answers the started broker inside tests.
 * `options` are `startKafka`'s. Without Java 17 they are skipped, and say so; with CI=true that is a failure.
 */
export const withKafka = (jest, declare, options = {}) => {
  const missing = kafkaMissing()
  if (skippedWithout(jest, 'Kafka', missing)) return
  const { describe, beforeAll, afterAll } = jest
  describe('Kafka', () => {
    let kafka
    beforeAll(async () => {
      failWithout(missing)
      kafka = await startKafka(options)
    }, DOWNLOAD_MS + START_MS)
    afterAll(() => kafka?.stop(), STOP_MS * 2)
    declare(() => kafka)
  })
}
