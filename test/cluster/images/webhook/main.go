// Webhook is an admission webhook that refuses objects with the label weir-test/refuse, in the words that are its value.
package main

import (
	"encoding/json"
	"log"
	"net/http"
)

type review struct {
	APIVersion string    `json:"apiVersion"`
	Kind       string    `json:"kind"`
	Request    *request  `json:"request,omitempty"`
	Response   *response `json:"response,omitempty"`
}

type request struct {
	UID    string `json:"uid"`
	Object struct {
		Metadata struct {
			Labels map[string]string `json:"labels"`
		} `json:"metadata"`
	} `json:"object"`
}

type response struct {
	UID     string            `json:"uid"`
	Allowed bool              `json:"allowed"`
	Status  map[string]string `json:"status,omitempty"`
}

func admit(writer http.ResponseWriter, got *http.Request) {
	asked := review{}
	if err := json.NewDecoder(got.Body).Decode(&asked); err != nil || asked.Request == nil {
		http.Error(writer, "this is no AdmissionReview", http.StatusBadRequest)
		return
	}
	words, refused := asked.Request.Object.Metadata.Labels["weir-test/refuse"]
	verdict := &response{UID: asked.Request.UID, Allowed: !refused}
	if refused {
		verdict.Status = map[string]string{"message": words}
	}
	writer.Header().Set("content-type", "application/json")
	json.NewEncoder(writer).Encode(review{APIVersion: asked.APIVersion, Kind: asked.Kind, Response: verdict})
}

func main() {
	http.HandleFunc("/admit", admit)
	log.Fatal(http.ListenAndServeTLS(":8443", "/tls/tls.crt", "/tls/tls.key", nil))
}
