// Which plots there are.

function makePlots(parent) {
  return [
    new Plot(parent, {
      id: "nmse-n",
      heading: "nmse against n, for each k",
      x: { name: "dict_size", log: true },
      y: { name: "nmse", log: true },
      group: "k",
      joined: true,
    }),
    new Plot(parent, {
      id: "nmse-k",
      heading: "nmse against k, for each n",
      x: { name: "k", log: true },
      y: { name: "nmse", log: true },
      group: "dict_size",
      joined: true,
    }),
    new Plot(parent, {
      id: "pareto",
      heading: "nmse against l0, Pareto front",
      x: { name: "l0", log: true },
      y: { name: "nmse", log: true },
      front: true,
    }),
    new Plot(parent, {
      id: "auxk-dead",
      heading: "AuxK loss against dead latents",
      x: { name: "dead_latents", log: false },
      y: { name: "auxk_loss", log: false },
    }),
    new CurvePlot(parent),
  ].map(watch);
}
