package grid

import (
	"strings"

	"github.com/topksweep/sweep/sweep/spelling"
)

// A suggestion says what to write instead of a key of another tool: the first of keys that is known in the map that is
// being read, or else text.
type suggestion struct {
	keys []string
	text string
}

// foreignKeys maps the keys of other tools, and common synonyms, to suggestions. Its keys are in the form that
// spelling.Simplify gives them. The tools are W&B sweeps, Katib, Determined, Ray Tune, Hydra, dictionary_learning,
// SAELens and sparsify.
func foreignKeys() map[string]suggestion {
	out := map[string]suggestion{}
	for _, row := range synonyms() {
		for name := range strings.FieldsSeq(row[1]) {
			out[spelling.Simplify(name)] = suggestion{keys: strings.Fields(row[0])}
		}
	}
	for _, row := range explanations() {
		for name := range strings.FieldsSeq(row[1]) {
			s := out[spelling.Simplify(name)]
			s.text = row[0]
			out[spelling.Simplify(name)] = s
		}
	}
	return out
}

// synonyms lists keys of a grid, each row with other names for them. Where a row has two keys, each belongs to another
// map: dict_size to parameters, directions to data.synthetic.
func synonyms() [][2]string {
	return [][2]string{
		{"steps",
			"numsteps nsteps maxsteps trainsteps trainingsteps totalsteps totaltrainingsteps numtrainingsteps " +
				"optimizersteps iterations iters numiterations maxiters maxiterations"},
		{"epochs", "numepochs nepochs maxepochs numtrainepochs epoch passes"},
		{"lr", "learningrate baselr stepsize maxlr peaklr initiallr"},
		{"dict_size directions",
			"nlatents numlatents latents dsae dictsz dsparse dictionarysize nfeatures numfeatures features " +
				"hiddensize hiddendim dhidden codebooksize nlearneddictionaries"},
		{"k active", "topk ktop kactive numactive nactive sparsity l0 targetl0"},
		{"auxk_alpha zipf",
			"auxalpha auxkcoef auxkcoeff auxcoef auxcoeff auxlosscoef auxlosscoeff auxlosscoefficient " +
				"auxkcoefficient auxlossalpha auxkweight auxlossweight"},
		{"k_aux", "auxk auxkk topkaux auxtopk numdeadlatents"},
		{"dead_feature_threshold",
			"deadtokensthreshold deadtokenthreshold deadthreshold deadfeaturewindow deadlatentthreshold " +
				"deadlatentsthreshold deadafter feature_sampling_window"},
		{"warmup_steps", "warmup lrwarmup lrwarmupsteps numwarmupsteps warmuplength"},
		{"decay_start", "lrdecaystart decaystartstep decaystartfraction lrdecay decay decayfrom"},
		{"batch_size", "bs batch batchsz minibatchsize trainbatchsize trainbatchsizetokens batchtokens"},
		{"seed", "seeds randomseed rngseed randomstate"},
		{"init", "initfrom startfrom beginfrom warmstart pretrained frompretrained initialweights pretrainedpath"},
		{normalizeInit, "normalizedecoder normaliseinit normalizedecoderinit unitnorm"},
		{"precision", "dtype autocast autocastdtype amp mixedprecision bf16 fp16"},
		{"recipe", "semantics trainingrecipe variant"},
		{"max_concurrent",
			"maxconcurrenttrials paralleltrialcount paralleltrials parallelism concurrency maxparallel " +
				"maxparalleltrials maxworkers numworkers nworkers njobs jobs concurrent maxconcurrentruns"},
		{"max_failed", "maxfailedtrialcount maxfailures maxfailedtrials maxfailedruns failurelimit"},
		{"fail_fast", "stoponfailure raiseonfailedtrial abortonfailure"},
		{"checkpoint", "checkpointconfig checkpointing checkpoints checkpointpolicy"},
		{"every",
			"saveevery saveinterval savesteps savefrequency savefreq checkpointinterval checkpointfrequency " +
				"checkpointevery mincheckpointperiod interval period"},
		{"keep", "keeplast keepcheckpoints savetotallimit maxtokeep numtokeep savetriallatest keeplastn"},
		{"share_prefixes", "share shareprefix sharing sharestages"},
		{"reuse_results", "reuse cache usecache skipcompleted"},
		{"name", "title sweepname experiment experimentname project"},
		{"parameters",
			"params hyperparameters hyperparams hparams paramspace searchspace space grid matrix axes axis sweep"},
		{"train", "training trainer trainerconfig trainconfig constants fixed common defaults"},
		{"data", "dataset datasets activations buffer input inputs"},
		{"run", "tuneconfig runconfig execution settings options"},
		{"include", "includes extra additional extras"},
		{"exclude", "excludes skip except ignore constraints"},
		{"zip", "zips linked paired together"},
		{"source", "path paths dir directory folder uri url glob shards activationspath"},
		{"synthetic", "toy simulated"},
		{"normalize", "norm normalise normalization normalisation normalizeactivations"},
		{"eval_tokens", "evalrows evalsize heldout holdout validationtokens valtokens testtokens numevaltokens"},
		{"eval_source", "evaldata evaldataset evalpath heldoutsource heldoutdata validation validationdata valdata testdata"},
		{"max_norm", "maxnorm normthreshold maxactivationnorm normcutoff normlimit"},
		{"verify", "verification hashing"},
		{"lm_name", "model modelname lm llm basemodel"},
		{"layer", "layers hooklayer layeridx layerindex"},
		{"submodule_name", "submodule hookname hookpoint hookpoints site modulename"},
		{"activation_dim", "din dmodel actdim activationsize inputdim nembd dim embeddingdim"},
		{"directions", "ndirections numdirections truefeatures numtruefeatures groundtruthfeatures"},
		{"tokens",
			"rows numrows nrows samples nsamples numtokens ntokens trainingtokens traintokens totaltokens maxtokens " +
				"totaltrainingtokens"},
		{"zipf", "zipfexponent exponent alpha powerlaw"},
		{"noise", "noisestd noisescale sigma std noiselevel"},
	}
}

// widthFromData is the text for a key that a grid has in data.synthetic only (activation_dim).
const widthFromData = "the width comes from the data: leave it out"

// explanations lists texts, each with the keys of other tools that have no counterpart in a grid.
func explanations() [][2]string {
	return [][2]string{
		{"a grid runs every cell: leave it out",
			"method metric searcher algorithm objective earlyterminate earlystopping runcap maxtrialcount " +
				"maxtrials trials goal mode scheduler searchalg sweeper searchstrategy"},
		{"not part of a grid: leave it out",
			"program command entity description entrypoint environment workspace labels apiversion kind metadata " +
				"spec trialtemplate trialparameters metricscollectorspec hydra launcher multirun version"},
		{"a list is an axis: write the values themselves, as in k: [16, 32]",
			"values value vals gridsearch choice choices categorical feasiblespace distribution"},
		{"for several runs of one setting make the seed an axis, as in seed: [0, 1, 2]",
			"numsamples repeats repeat replicates numseeds nseeds"},
		{"write dict_size, the expansion factor times the width of the data",
			"expansionfactor expansion dictsizeratio dictratio"},
		{"decay_start is the step (or fraction of steps) at which the learning rate begins to fall",
			"lrdecaysteps decaysteps lrscheduler lrschedule lrschedulername"},
		{"every run is a Top-K autoencoder; recipe chooses the training semantics",
			"dictclass trainerclass architecture activationfn activation saetype"},
		{widthFromData, "din dmodel activationdim inputdim dim nembd actdim activationsize"},
		{"a run goes on from its last checkpoint by itself: leave it out",
			"resume maxrestarts restarts retries maxretries restorefrom"},
		{"where to run is for the command line (--backend, --slots): leave it out",
			"device devices gpus numgpus gpu resources resourcespertrial slotspertrial slots backend"},
		{"where to store is for the command line (--store): leave it out",
			"checkpointstorage storagepath storage store savedir outputdir outdir logdir localdir"},
	}
}
