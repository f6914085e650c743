// Package export makes files for other tools of the models of runs: which formats a run leaves, what a model card says
// of the run, names of folders made of settings, and folders on disk that are whole or not there.
//
// It knows results and files. It reads no store: whoever calls it hands it the model. It may import the trainer's
// packages of models, and what results and tables are.
package export
