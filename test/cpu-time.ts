/**
 * The milliseconds that this thread has computed for. A limit of this time also holds on a busy machine, where a limit of the
 * time that passes measures the other processes.
 */
export function cpuMs(): number {
  const { user, system } = process.threadCpuUsage();
  return (user + system) / 1000;
}

/** The milliseconds that all threads of this process have computed for together. */
export function processCpuMs(): number {
  const { user, system } = process.cpuUsage();
  return (user + system) / 1000;
}
