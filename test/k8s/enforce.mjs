// NetworkPolicies where no plugin enforces them: on a cluster whose one node is this machine, packets between its pods pass the machine's own filter.
import { spawnSync } from 'node:child_process'

const CHAIN = 'BAHI-EDGES'
const ESTABLISHED = ['-m', 'conntrack', '--ctstate', 'ESTABLISHED,RELATED']

const iptables = (...args) => spawnSync('iptables', ['-w', '10', ...args], { encoding: 'utf8', timeout: 30_000 })
const must = (...args) => {
  const { status, stderr, error } = iptables(...args)
  if (status !== 0) throw new Error(`iptables ${args.join(' ')}: ${stderr ?? error}`)
}

/** Lets new connections of `pods` (their addresses) go these ways alone: `{ from, to, port, protocol }`. What the node itself sends, as probes are, is not asked. */
export const enforce = (pods, ways) => {
  release()
  must('-N', CHAIN)
  must('-A', CHAIN, ...ESTABLISHED, '-j', 'RETURN')
  for (const { from, to, port, protocol } of ways)
    must('-A', CHAIN, '-s', from, '-d', to, '-p', protocol, '--dport', String(port), '-j', 'RETURN')
  for (const pod of pods) for (const side of ['-s', '-d']) must('-A', CHAIN, side, pod, '-j', 'DROP')
  must('-I', 'FORWARD', '1', '-j', CHAIN)
  // What was connected before is asked as well.
  for (const pod of pods) spawnSync('conntrack', ['-D', '-s', pod], { stdio: 'ignore', timeout: 30_000 })
}

/** Takes all of it away again; nothing, where there is nothing. */
export const release = () => {
  iptables('-D', 'FORWARD', '-j', CHAIN)
  iptables('-F', CHAIN)
  iptables('-X', CHAIN)
}
