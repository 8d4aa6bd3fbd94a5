/*
 * Preloaded into a measured process: on SIGUSR2, it prints the CPU time that all of its threads have used, as one line of
 * JSON among its log lines.
 */
process.on('SIGUSR2', () => {
  const { user, system } = process.cpuUsage();
  console.log(JSON.stringify({ cpuMs: (user + system) / 1000 }));
});
