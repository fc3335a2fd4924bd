// A listener by TLS with SCRAM for the broker of `kafka.mjs`: an authority of its own, made with openssl at each start.
import { execFile } from 'node:child_process'
import { randomBytes } from 'node:crypto'
import { readFile, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { promisify } from 'node:util'

const OPENSSL_MS = 30_000
const openssl = (...args) => promisify(execFile)('openssl', args, { timeout: OPENSSL_MS })
const KEY = ['-newkey', 'ec', '-pkeyopt', 'ec_paramgen_curve:prime256v1', '-nodes']

const authority = async (folder, name) => {
  const [key, caFile] = [join(folder, `${name}.key`), join(folder, `${name}.pem`)]
  await openssl('req', '-x509', ...KEY, '-keyout', key, '-out', caFile, '-days', '2', '-subj', `/CN=${name}`)
  return { key, caFile }
}

/** What the broker's configuration and its `format` need, and what a client does. */
export const secureListener = async (folder, port) => {
  const [ca, other] = [await authority(folder, 'authority'), await authority(folder, 'another')]
  const file = (name) => join(folder, name)
  await writeFile(file('names'), 'subjectAltName=IP:127.0.0.1')
  await openssl('req', ...KEY, '-keyout', file('broker.key'), '-out', file('broker.csr'), '-subj', '/CN=broker')
  const signed = ['-CA', ca.caFile, '-CAkey', ca.key, '-CAcreateserial', '-days', '2', '-extfile', file('names')]
  await openssl('x509', '-req', '-in', file('broker.csr'), ...signed, '-out', file('broker.pem'))
  // Kafka reads the key and the chain from one file.
  await writeFile(file('keystore.pem'), `${await readFile(file('broker.key'), 'utf8')}${await readFile(file('broker.pem'), 'utf8')}`)
  const [username, password] = ['bahi', randomBytes(16).toString('hex')]
  return {
    listener: `SASL_SSL://127.0.0.1:${port}`,
    properties: `inter.broker.listener.name=PLAINTEXT
sasl.enabled.mechanisms=SCRAM-SHA-256,SCRAM-SHA-512
listener.name.sasl_ssl.scram-sha-256.sasl.jaas.config=org.apache.kafka.common.security.scram.ScramLoginModule required;
listener.name.sasl_ssl.scram-sha-512.sasl.jaas.config=org.apache.kafka.common.security.scram.ScramLoginModule required;
ssl.keystore.type=PEM
ssl.keystore.location=${file('keystore.pem')}
`,
    format: ['SCRAM-SHA-256', 'SCRAM-SHA-512'].flatMap((each) => ['--add-scram', `${each}=[name=${username},password=${password}]`]),
    client: { brokers: `127.0.0.1:${port}`, caFile: ca.caFile, otherCaFile: other.caFile, username, password },
  }
}
