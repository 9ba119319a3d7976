"""Show, Attend and Tell in PyTorch, as packages/captioner/src/decoders/show-attend-tell.ts."""

import torch
from torch import nn
from torch.nn import functional as F


class ShowAttendTell(nn.Module):
    def __init__(self, weights):
        """weights: tensors by name; kernels are [in,out]."""
        super().__init__()
        self.weights = weights
        # PyTorch's linear layers have [out,in].
        self.kernels = {
            name.removesuffix(".kernel"): tensor.T.contiguous()
            for name, tensor in weights.items()
            if name.endswith(".kernel")
        }

    def dense(self, x, name):
        return F.linear(x, self.kernels[name], self.weights.get(f"{name}.bias"))

    def project(self, feature_map):
        """[B,L,D] -> annotations [B,L,A]: the features, computed with the encoder"""
        return F.relu(self.dense(feature_map, "annotation"))

    def start(self, annotations):
        """[B,L,A] -> annotations, keys [B,L,P], hidden [B,H], cell [B,H]"""
        mean = annotations.mean(1)
        return (
            annotations,
            self.dense(annotations, "attention.features"),
            torch.tanh(self.dense(mean, "init.hidden")),
            torch.tanh(self.dense(mean, "init.cell")),
        )

    def step(self, annotations, keys, hidden, cell, tokens, width):
        """One word for N = B·width hypotheses -> logits [N,V], hidden [N,H], cell [N,H]"""
        images = len(annotations)
        query = self.dense(hidden, "attention.hidden").view(images, width, 1, -1)
        compared = torch.tanh(keys.unsqueeze(1) + query)  # [B,W,L,P]
        attention = self.dense(compared, "attention.score").squeeze(-1).softmax(-1)  # [B,W,L]
        context = torch.bmm(attention, annotations).flatten(0, 1)  # [N,A]
        gated = context * torch.sigmoid(self.dense(hidden, "gate"))

        word = self.weights["embedding"][tokens]  # [N,E]
        gates = (
            self.dense(word, "lstm.word")
            + self.dense(gated, "lstm.context")
            + self.dense(hidden, "lstm.hidden")
        )
        i, f, g, o = gates.chunk(4, -1)
        cell = torch.sigmoid(f + 1) * cell + torch.sigmoid(i) * torch.tanh(g)
        hidden = torch.sigmoid(o) * torch.tanh(cell)

        said = self.dense(hidden, "output.hidden") + self.dense(gated, "output.context") + word
        logits = F.linear(torch.tanh(said), self.weights["embedding"], self.weights["output.bias"])
        return logits, hidden, cell
